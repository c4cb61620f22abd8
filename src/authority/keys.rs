//! Creates, rotates and revokes private keys. A new key is sealed immediately, and opened only to sign.

use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use super::{
    AuthorityError, Custody, Purpose,
    audit::{audit, check_reason},
    key_holders,
};
use crate::{
    domain::{Timestamp, ids::KeyId},
    identity::{KeyPair, PublicKey, Signer as _},
    ledger::{self, Action, Change},
    store::{
        Crypter, Db, Tx, changes,
        keys::{self, KeyRow},
    },
};

/// A new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedKey {
    /// The id of the row.
    pub id: KeyId,
    /// The key id in headers and key sets.
    pub kid: String,
    pub purpose: Purpose,
}

/// Creates the missing signing keys of a running gateway, and returns them.
pub async fn create_missing(custody: &Custody) -> Result<Vec<CreatedKey>, AuthorityError> {
    let mut tx = custody.env.db.begin("authority::create_missing_keys").await.map_err(AuthorityError::Store)?;
    let mut made = Vec::new();
    for purpose in Purpose::SIGNING {
        // Only what is missing: a start must not rotate keys.
        if keys::find_active_in(&mut tx, purpose.as_str()).await.map_err(AuthorityError::Store)?.is_none() {
            made.push(create_in(&mut tx, custody, purpose).await?);
        }
    }
    if !made.is_empty() {
        // Gateways that run already load the new keys then.
        changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    }
    tx.commit().await.map_err(AuthorityError::Store)?;
    Ok(made)
}

/// How long a key is published before it signs: twice the time for which the key set may be cached, so that a copy that a
/// cache fetched just before the publication has ended everywhere.
pub const PUBLISHED_AHEAD: Duration = Duration::from_mins(10);

/// Publishes the next key of a purpose, which [`activate`] lets sign later: until then everybody has fetched it.
pub async fn prepare(custody: &Custody, purpose: Purpose) -> Result<CreatedKey, AuthorityError> {
    check_rotatable(purpose)?;
    let mut tx = custody.env.db.begin("authority::prepare_key").await.map_err(AuthorityError::Store)?;
    if let Some(next) = find_next(&mut tx, purpose).await? {
        return Err(AuthorityError::Conflict(format!(
            "the key {} is published already: `medcredit keys rotate {purpose}` lets it sign",
            next.id
        )));
    }
    let made = create_in_state(&mut tx, custody, purpose, "next").await?;
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::info!(key.id = %made.id, key.purpose = %purpose, "the next key is published");
    Ok(made)
}

/// Lets the published next key of a purpose sign. The previous key signs no more (the log's still cosigns checkpoints for
/// a while) and stays published.
pub async fn activate(custody: &Custody, purpose: Purpose) -> Result<CreatedKey, AuthorityError> {
    check_rotatable(purpose)?;
    let now = custody.env.clock.now();
    let mut tx = custody.env.db.begin("authority::activate_key").await.map_err(AuthorityError::Store)?;
    let next = find_next(&mut tx, purpose).await?.ok_or_else(|| {
        AuthorityError::Conflict(format!(
            "no next {purpose} key is published: run `medcredit keys prepare {purpose}` first. `--now` signs with a key that \
             others have not fetched yet"
        ))
    })?;
    let from = Timestamp::from_micros(next.created_at).plus(PUBLISHED_AHEAD);
    if now < from {
        return Err(AuthorityError::Conflict(format!(
            "the key {} may sign from {from} on: others may have a key set without it until then",
            next.id
        )));
    }
    let made = activate_in(&mut tx, custody, &next).await?;
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::info!(key.id = %made.id, key.purpose = %purpose, "a key was rotated");
    Ok(made)
}

fn check_rotatable(purpose: Purpose) -> Result<(), AuthorityError> {
    if purpose == Purpose::Authority {
        return Err(AuthorityError::Invalid(
            "the authority's key is bound to its certificate: create a new authority with `medcredit certs init`"
                .into(),
        ));
    }
    Ok(())
}

/// The published key of a purpose that does not sign yet: the newest, should two operators have prepared one each.
async fn find_next(tx: &mut Tx, purpose: Purpose) -> Result<Option<KeyRow>, AuthorityError> {
    let rows = keys::list_in(tx).await.map_err(AuthorityError::Store)?;
    Ok(rows.into_iter().rev().find(|row| row.state == "next" && row.purpose == purpose.as_str()))
}

/// Retires the active key and activates another one, in the caller's transaction.
async fn activate_in(tx: &mut Tx, custody: &Custody, next: &KeyRow) -> Result<CreatedKey, AuthorityError> {
    let purpose = purpose_of(next)?;
    keys::retire(tx, purpose.as_str(), custody.env.clock.now()).await.map_err(AuthorityError::Store)?;
    // The update decides, not the row read above: of two operators at the same time one finds it done.
    if !keys::activate(tx, &next.id).await.map_err(AuthorityError::Store)? {
        return Err(AuthorityError::Conflict(format!("the key {} is no longer the next one", next.id)));
    }
    let corrupt = |error: String| AuthorityError::Corrupt(format!("key {}: {error}", next.id));
    let id = next.id.parse().map_err(|error: crate::domain::Malformed| corrupt(error.to_string()))?;
    let public = PublicKey::from_any_der(&next.public_key).map_err(|error| corrupt(error.to_string()))?;
    let kid = public.key_id().to_owned();
    let detail = json!({ "purpose": purpose.as_str(), "kid": kid });
    audit(tx, custody, Action::KeyActivated, &next.id, Change::of(detail)).await?;
    Ok(CreatedKey { id, kid, purpose })
}

/// Creates a new key of a purpose that signs immediately: for a first key, and where there is no time to publish it first
/// ([`prepare`], [`activate`]). The previous key signs no more and stays published, so that its signatures still
/// verify. The authority's key is bound to its certificate and is not rotated here.
pub async fn rotate(custody: &Custody, purpose: Purpose) -> Result<CreatedKey, AuthorityError> {
    check_rotatable(purpose)?;
    let mut tx = custody.env.db.begin("authority::rotate_key").await.map_err(AuthorityError::Store)?;
    // Retired first: the unique index admits one active key, and both are in one transaction, so that no moment is
    // without a signer.
    keys::retire(&mut tx, purpose.as_str(), custody.env.clock.now()).await.map_err(AuthorityError::Store)?;
    let made = create_in(&mut tx, custody, purpose).await?;
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::info!(key.id = %made.id, key.purpose = %purpose, "a key was rotated");
    Ok(made)
}

/// Revokes a key: it is no longer published, and its signatures are refused. An active key is replaced in the same
/// transaction, because a gateway without one cannot respond: by the published next key, which others have fetched
/// already, or by a new one. Returns the replacement.
pub async fn revoke(custody: &Custody, id: KeyId, reason: &str) -> Result<Option<CreatedKey>, AuthorityError> {
    check_reason(reason)?;
    let mut tx = custody.env.db.begin("authority::revoke_key").await.map_err(AuthorityError::Store)?;
    let rows = keys::list_in(&mut tx).await.map_err(AuthorityError::Store)?;
    let name = id.to_string();
    let row =
        rows.into_iter().find(|row| row.id == name).ok_or_else(|| AuthorityError::Unknown(format!("key {id}")))?;
    let purpose = purpose_of(&row)?;
    if purpose == Purpose::Authority {
        return Err(AuthorityError::Invalid("the authority's key is revoked together with its authority".into()));
    }
    // The update decides, not the row read above: of two revocations at the same time one finds it done.
    if !keys::revoke(&mut tx, &name, custody.env.clock.now()).await.map_err(AuthorityError::Store)? {
        return Err(AuthorityError::Conflict(format!("key {id} is already revoked")));
    }
    let detail = json!({ "purpose": purpose.as_str(), "state": row.state });
    audit(&mut tx, custody, Action::KeyRevoked, &name, Change::of(detail).because(Some(reason))).await?;
    let replacement = match (row.state.as_str(), find_next(&mut tx, purpose).await?) {
        ("active", Some(next)) => Some(activate_in(&mut tx, custody, &next).await?),
        ("active", None) => Some(create_in(&mut tx, custody, purpose).await?),
        _ => None,
    };
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::warn!(key.id = %id, key.purpose = %purpose, "a key was revoked");
    Ok(replacement)
}

/// Makes a crypter seal under the key-encryption key that the store is sealed under: that of its newest private key. The
/// order of the file alone decides nothing, because gateways get a new file one after the other, and what one seals the
/// others must be able to open.
pub async fn follow_store(crypter: &Crypter, db: &Db) -> Result<(), AuthorityError> {
    follow(crypter, &keys::list(db).await.map_err(AuthorityError::Store)?)
}

pub(super) fn follow(crypter: &Crypter, rows: &[KeyRow]) -> Result<(), AuthorityError> {
    match rows.last() {
        Some(newest) if !crypter.seal_as(&newest.sealed_private) => Err(AuthorityError::KeyMissing),
        // In a new store the first key of the file seals the first private key.
        _ => Ok(()),
    }
}

/// Seals every private key again that another key-encryption key than the first sealed, and returns their number. From
/// then on every gateway seals under the first key. Refused while a gateway does not have it.
pub async fn reseal(custody: &Custody) -> Result<usize, AuthorityError> {
    // One transaction for all keys: a crash leaves each of them sealed as it was.
    let mut tx = custody.env.db.begin("authority::reseal_keys").await.map_err(AuthorityError::Store)?;
    // In the transaction: a gateway that opens now reports its keys before it reads the private ones, and so before this
    // check, or it finds them sealed under a key it may not have and does not start.
    key_holders::check_first_key(&mut tx, custody).await?;
    custody.crypter.seal_under_first();
    let mut resealed = 0;
    for row in keys::list_in(&mut tx).await.map_err(AuthorityError::Store)? {
        // Keys that the newest key-encryption key sealed stay as they are: repeating the command changes nothing.
        if custody.crypter.is_outdated(&row.sealed_private) {
            let place = purpose_of(&row)?.place(&row.id);
            let opened = custody.crypter.open(place, &row.sealed_private).map_err(AuthorityError::Crypter)?;
            let sealed = custody.crypter.seal(place, &opened).map_err(AuthorityError::Crypter)?;
            keys::reseal(&mut tx, &row.id, &sealed).await.map_err(AuthorityError::Store)?;
            resealed += 1;
        }
    }
    if resealed > 0 {
        let change = Change::of(json!({ "keys": resealed }));
        let entry = ledger::audit(&mut tx, &custody.env, &custody.actor, Action::KeysResealed, None, change).await;
        entry.map_err(AuthorityError::Ledger)?;
        // Gateways read the private keys again then, and seal under the key that sealed them.
        changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    }
    tx.commit().await.map_err(AuthorityError::Store)?;
    Ok(resealed)
}

/// Creates an active key in the caller's transaction.
pub(super) async fn create_in(tx: &mut Tx, custody: &Custody, purpose: Purpose) -> Result<CreatedKey, AuthorityError> {
    create_in_state(tx, custody, purpose, "active").await
}

async fn create_in_state(
    tx: &mut Tx,
    custody: &Custody,
    purpose: Purpose,
    state: &str,
) -> Result<CreatedKey, AuthorityError> {
    let key = |error| AuthorityError::Key(purpose, error);
    let private = KeyPair::generate(purpose.suite()).map_err(key)?;
    let pair = KeyPair::from_pkcs8(purpose.suite(), &private).map_err(key)?;
    let id = KeyId::new(&*custody.env.clock, &*custody.env.entropy);
    let name = id.to_string();
    let row = KeyRow {
        // Sealed for this row and purpose: copied to another row it does not open.
        sealed_private: custody.crypter.seal(purpose.place(&name), &private).map_err(AuthorityError::Crypter)?,
        id: name,
        purpose: purpose.as_str().into(),
        suite: purpose.suite().as_str().into(),
        public_key: pair.public_key_der().to_vec(),
        state: state.into(),
        created_at: custody.env.clock.now().micros(),
        retired_at: None,
        revoked_at: None,
    };
    // A unique index admits one active key of a purpose, so that concurrent operators cannot create two.
    match keys::insert(tx, &row).await {
        Err(error) if error.is_constraint() => return Err(AuthorityError::KeyExists(purpose)),
        other => other.map_err(AuthorityError::Store)?,
    }
    let kid = pair.key_id().to_owned();
    let detail = json!({ "purpose": purpose.as_str(), "suite": purpose.suite().as_str(), "kid": kid, "state": state });
    audit(tx, custody, Action::KeyMade, &row.id, Change::of(detail)).await?;
    Ok(CreatedKey { id, kid, purpose })
}

/// Opens a private key, PKCS#8.
pub(super) fn open(custody: &Custody, row: &KeyRow) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    custody.crypter.open(purpose_of(row)?.place(&row.id), &row.sealed_private).map_err(AuthorityError::Crypter)
}

pub(super) fn purpose_of(row: &KeyRow) -> Result<Purpose, AuthorityError> {
    row.purpose.parse().map_err(|error| AuthorityError::Corrupt(format!("key {}: {error}", row.id)))
}
