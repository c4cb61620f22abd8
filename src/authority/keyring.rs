//! The keys in force at one time: what signs for each purpose, and every public key that is still published.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{AuthorityError, Custody, Purpose, keys};
use crate::{
    domain::{Timestamp, ids::KeyId},
    identity::{Jwk, KeyPair, PublicKey, SharedSigner, Suite},
    store::keys::{self as rows, KeyRow},
};

/// A public key others may verify with.
#[derive(Debug, Clone)]
pub struct PublishedKey {
    /// Its id at rest.
    pub id: KeyId,
    /// What it signed or signs.
    pub purpose: Purpose,
    /// The key.
    pub public_key: PublicKey,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// Since when it no longer signs.
    pub retired_at: Option<Timestamp>,
}

/// A key with its whole history, for an operator's eyes.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// The key, as it is or was published.
    pub key: PublishedKey,
    /// active | retired | revoked.
    pub state: String,
    /// Since when it is good for nothing.
    pub revoked_at: Option<Timestamp>,
}

/// The keys in force at one time. Revoked keys sign and verify nothing; they stand only in the records.
#[derive(Debug, Clone)]
pub struct Keyring {
    records: Vec<KeyRecord>,
    signers: BTreeMap<Purpose, SharedSigner>,
    published: Vec<PublishedKey>,
    log: Vec<PublicKey>,
}

impl Keyring {
    /// Reads the keys and opens those that sign. The authority's key is not among them: it is opened for a moment, when
    /// a certificate or a list is signed.
    pub async fn load(custody: &Custody) -> Result<Self, AuthorityError> {
        let mut signers: BTreeMap<Purpose, SharedSigner> = BTreeMap::new();
        let (mut published, mut log, mut records) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows::list(&custody.env.db).await.map_err(AuthorityError::Store)? {
            let purpose = keys::purpose_of(&row)?;
            let record = read(&row)?;
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
            published.push(record.key);
        }
        Ok(Self { records, signers, published, log })
    }

    /// What signs for a purpose.
    pub fn signer(&self, purpose: Purpose) -> Result<SharedSigner, AuthorityError> {
        self.signers.get(&purpose).cloned().ok_or(AuthorityError::NoKey(purpose))
    }

    /// Every public key of a purpose that still verifies, retired ones included, the oldest first.
    pub fn published(&self, purpose: Purpose) -> impl Iterator<Item = &PublishedKey> {
        self.published.iter().filter(move |key| key.purpose == purpose)
    }

    /// Every key that ever signed checkpoints, revoked ones too: the log goes on from what they signed, and the checkpoint
    /// outside the database, not they, tells whether it is still the same log.
    pub fn log(&self) -> &[PublicKey] {
        &self.log
    }

    /// Every key there ever was, the oldest first.
    pub fn records(&self) -> &[KeyRecord] {
        &self.records
    }

    /// The published keys of some purposes, as a JSON Web Key Set's members.
    pub fn jwks(&self, purposes: &[Purpose]) -> Vec<Jwk> {
        self.published.iter().filter(|key| purposes.contains(&key.purpose)).map(|key| key.public_key.jwk()).collect()
    }
}

/// Every key there ever was, the oldest first.
pub async fn list(custody: &Custody) -> Result<Vec<KeyRecord>, AuthorityError> {
    rows::list(&custody.env.db).await.map_err(AuthorityError::Store)?.iter().map(read).collect()
}

fn open(custody: &Custody, row: &KeyRow, purpose: Purpose) -> Result<KeyPair, AuthorityError> {
    let pair = KeyPair::from_pkcs8(suite_of(row)?, &keys::open(custody, row)?)
        .map_err(|error| AuthorityError::Key(purpose, error))?;
    // A public key that was changed at rest would be published for a private key that is not its own.
    if crate::identity::Signer::public_key_der(&pair) == row.public_key.as_slice() {
        Ok(pair)
    } else {
        Err(AuthorityError::Corrupt(format!("key {}: the public key is not the private key's", row.id)))
    }
}

fn suite_of(row: &KeyRow) -> Result<Suite, AuthorityError> {
    row.suite.parse().map_err(|error| AuthorityError::Corrupt(format!("key {}: {error}", row.id)))
}

fn read(row: &KeyRow) -> Result<KeyRecord, AuthorityError> {
    let purpose = keys::purpose_of(row)?;
    let public_key =
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
