//! Creates, rotates and revokes private keys. A new key is sealed immediately, and opened only to sign.

use serde_json::json;
use zeroize::Zeroizing;

use super::{
    AuthorityError, Custody, Purpose,
    audit::{audit, check_reason},
};
use crate::{
    domain::ids::KeyId,
    identity::{KeyPair, Signer as _},
    ledger::{self, Action, Change},
    store::{
        Tx, changes,
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

/// Creates a new key of a purpose. The previous key signs no more and stays published, so that its signatures still
/// verify. The authority's key is bound to its certificate and is not rotated here.
pub async fn rotate(custody: &Custody, purpose: Purpose) -> Result<CreatedKey, AuthorityError> {
    if purpose == Purpose::Authority {
        return Err(AuthorityError::Invalid(
            "the authority's key is bound to its certificate: create a new authority with `medcredit certs init`"
                .into(),
        ));
    }
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
/// transaction, because a gateway without one cannot respond. Returns the replacement.
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
    let replacement = if row.state == "active" { Some(create_in(&mut tx, custody, purpose).await?) } else { None };
    changes::raise(&mut tx).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)?;
    tracing::warn!(key.id = %id, key.purpose = %purpose, "a key was revoked");
    Ok(replacement)
}

/// Seals every private key again that an older key-encryption key sealed. Returns their number.
pub async fn reseal(custody: &Custody) -> Result<usize, AuthorityError> {
    // One transaction for all keys: a crash leaves each of them sealed as it was.
    let mut tx = custody.env.db.begin("authority::reseal_keys").await.map_err(AuthorityError::Store)?;
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
    }
    tx.commit().await.map_err(AuthorityError::Store)?;
    Ok(resealed)
}

/// Creates a key in the caller's transaction.
pub(super) async fn create_in(tx: &mut Tx, custody: &Custody, purpose: Purpose) -> Result<CreatedKey, AuthorityError> {
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
        state: "active".into(),
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
    let detail = json!({ "purpose": purpose.as_str(), "suite": purpose.suite().as_str(), "kid": kid });
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
