//! Keys and certificates: who may sign what, who is trusted, and the live material that listeners and signers hold.
//!
//! Invariants: a private key leaves this room only inside a [`crate::identity::Signer`] or sealed; whatever narrows trust
//! ends the answers under way of those concerned in the same transaction (I2, I3); what is live is replaced whole, and
//! only by material that was built and checked first: bad material never replaces good. This room knows nothing of
//! requests, tokens or consents.

pub mod certificates;
mod error;
pub mod files;
pub mod keyring;
pub mod keys;
mod lists;
pub mod live;
pub mod own;
pub mod partners;
pub mod profile;
mod public;
mod purpose;
mod record;
pub mod server;
mod watch;

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    config::{self, Secrets},
    domain::{clock::SharedClock, rng::SharedEntropy},
    store::{Crypter, Db},
};

pub use error::AuthorityError;
pub use keyring::{KeyRecord, Keyring, PublishedKey};
pub use live::{Live, LiveMaterial, Reloader};
pub use profile::{Particulars, Profile, ProfileName};
pub use public::PublicServer;
pub use purpose::Purpose;

/// What keys and certificates are administered with.
#[derive(Debug, Clone)]
pub struct Custody {
    /// Where they are kept.
    pub db: Db,
    /// What seals private keys.
    pub crypter: Arc<Crypter>,
    /// The time.
    pub clock: SharedClock,
    /// Randomness for ids and serial numbers. Private keys and nonces come from the provider's own generator.
    pub entropy: SharedEntropy,
    /// Where the certificate profiles are; the compiled-in ones without it.
    pub profiles: Option<PathBuf>,
    /// How long our own revocation lists are good for.
    pub list_life: Duration,
    /// Who acts, as the ledger will name them.
    pub operator: String,
}

impl Custody {
    /// Custody as it is configured.
    pub fn new(
        db: Db,
        crypter: Arc<Crypter>,
        clock: SharedClock,
        entropy: SharedEntropy,
        settings: &config::Authority,
    ) -> Self {
        let (profiles, list_life) = (settings.profiles_directory.clone(), settings.list_life());
        Self { db, crypter, clock, entropy, profiles, list_life, operator: "gateway".into() }
    }

    /// The same for an operator, whom the ledger will name.
    #[must_use]
    pub fn operated_by(mut self, operator: &str) -> Self {
        operator.clone_into(&mut self.operator);
        self
    }
}

/// The crypter of the configured key-encryption keys.
pub fn crypter(secrets: &Secrets) -> Result<Crypter, AuthorityError> {
    let keys = secrets.key_encryption_keys().map_err(AuthorityError::Config)?;
    Crypter::from_bytes(keys.iter().map(config::KeyEncryptionKey::expose)).map_err(AuthorityError::Crypter)
}
