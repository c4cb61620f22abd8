//! The keys in force: the signer of each purpose, and every published public key.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{AuthorityError, Custody, Purpose, keys};
use crate::{
    domain::{Timestamp, ids::KeyId},
    identity::{Jwk, KeyPair, PublicKey, SharedSigner, Suite},
    store::keys::{self as rows, KeyRow},
};

/// A published public key.
#[derive(Debug, Clone)]
pub struct PublishedKey {
    /// The id of the row.
    pub id: KeyId,
    pub purpose: Purpose,
    pub public_key: PublicKey,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time since which the key no longer signs.
    pub retired_at: Option<Timestamp>,
}

impl PublishedKey {
    /// The key as a JSON Web Key that says what the key is for.
    pub fn jwk(&self) -> Jwk {
        Jwk { purpose: Some(self.purpose.to_string()), ..self.public_key.jwk() }
    }
}

/// A key with its history, as operators see it.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    pub key: PublishedKey,
    /// `next`, `active`, `retired` or `revoked`.
    pub state: String,
    /// The time of revocation.
    pub revoked_at: Option<Timestamp>,
}

/// A snapshot of the keys in force. Revoked keys sign and verify nothing; they are only in the records.
#[derive(Debug, Clone)]
pub struct Keyring {
    records: Vec<KeyRecord>,
    signers: BTreeMap<Purpose, SharedSigner>,
    published: Vec<PublishedKey>,
    log: Vec<PublicKey>,
    cosigners: Vec<(Timestamp, SharedSigner)>,
}

/// How long a former ledger key signs checkpoints beside its successor, so that verifiers that noted the former one have
/// time to note the new one.
pub const COSIGNED_FOR: Duration = Duration::from_hours(30 * 24);

impl Keyring {
    /// Reads the keys and opens the active ones, and seals under the key-encryption key that they are sealed under from
    /// then on. The authority's key stays sealed: it is opened only while a certificate or a list is signed.
    pub async fn load(custody: &Custody) -> Result<Self, AuthorityError> {
        let mut signers: BTreeMap<Purpose, SharedSigner> = BTreeMap::new();
        let (mut published, mut log, mut records, mut cosigners) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let now = custody.env.clock.now();
        let rows = rows::list(&custody.env.db).await.map_err(AuthorityError::Store)?;
        keys::follow(&custody.crypter, &rows)?;
        for row in rows {
            let purpose = keys::purpose_of(&row)?;
            let record = read(&row)?;
            // Before revoked keys are left out: old checkpoints must stay verifiable.
            if purpose == Purpose::LedgerSigning {
                log.push(record.key.public_key.clone());
            }
            records.push(record.clone());
            if row.state == "revoked" || purpose == Purpose::Authority {
                continue;
            }
            if row.state == "active" {
                signers.insert(purpose, Arc::new(open(custody, &row, purpose)?));
            }
            let until = record.key.retired_at.map(|at| at.plus(COSIGNED_FOR));
            if let Some(until) = until.filter(|until| purpose == Purpose::LedgerSigning && *until > now) {
                let signer: SharedSigner = Arc::new(open(custody, &row, purpose)?);
                cosigners.push((until, signer));
            }
            published.push(record.key);
        }
        Ok(Self { records, signers, published, log, cosigners })
    }

    /// The signer of a purpose.
    pub fn signer(&self, purpose: Purpose) -> Result<SharedSigner, AuthorityError> {
        self.signers.get(&purpose).cloned().ok_or(AuthorityError::NoKey(purpose))
    }

    /// The published keys of a purpose, including retired ones, oldest first.
    pub fn published(&self, purpose: Purpose) -> impl Iterator<Item = &PublishedKey> {
        self.published.iter().filter(move |key| key.purpose == purpose)
    }

    /// Every key that ever signed checkpoints, including revoked ones: the log continues from what they signed. Whether
    /// it is still the same log is decided by the checkpoint outside the database, and not by these keys.
    pub fn log(&self) -> &[PublicKey] {
        &self.log
    }

    /// The former ledger keys that still sign checkpoints beside the active one, each with the time until which it does.
    pub fn cosigners(&self) -> &[(Timestamp, SharedSigner)] {
        &self.cosigners
    }

    /// Every key that ever existed, oldest first.
    pub fn records(&self) -> &[KeyRecord] {
        &self.records
    }

    /// The published keys of the given purposes, as members of a JSON Web Key Set.
    pub fn jwks(&self, purposes: &[Purpose]) -> Vec<Jwk> {
        self.published.iter().filter(|key| purposes.contains(&key.purpose)).map(PublishedKey::jwk).collect()
    }
}

/// Lists every key that ever existed, oldest first.
pub async fn list(custody: &Custody) -> Result<Vec<KeyRecord>, AuthorityError> {
    rows::list(&custody.env.db).await.map_err(AuthorityError::Store)?.iter().map(read).collect()
}

fn open(custody: &Custody, row: &KeyRow, purpose: Purpose) -> Result<KeyPair, AuthorityError> {
    let pair = KeyPair::from_pkcs8(suite_of(row)?, &keys::open(custody, row)?)
        .map_err(|error| AuthorityError::Key(purpose, error))?;
    // A public key that was changed in the store would otherwise be published for another private key.
    if crate::identity::Signer::public_key_der(&pair) == row.public_key.as_slice() {
        Ok(pair)
    } else {
        Err(AuthorityError::Corrupt(format!("key {}: the public key does not belong to the private key", row.id)))
    }
}

fn suite_of(row: &KeyRow) -> Result<Suite, AuthorityError> {
    row.suite.parse().map_err(|error| AuthorityError::Corrupt(format!("key {}: {error}", row.id)))
}

fn read(row: &KeyRow) -> Result<KeyRecord, AuthorityError> {
    let purpose = keys::purpose_of(row)?;
    let public_key =
        // Parsed for revoked keys too: a row that was changed shows when it is loaded, and not when it is needed.
        PublicKey::from_der(suite_of(row)?, &row.public_key).map_err(|error| AuthorityError::Key(purpose, error))?;
    let id = row.id.parse().map_err(|error| AuthorityError::Corrupt(format!("key {}: {error}", row.id)))?;
    let key = PublishedKey {
        id,
        purpose,
        public_key,
        created_at: Timestamp::from_micros(row.created_at),
        retired_at: row.retired_at.map(Timestamp::from_micros),
    };
    Ok(KeyRecord { key, state: row.state.clone(), revoked_at: row.revoked_at.map(Timestamp::from_micros) })
}
