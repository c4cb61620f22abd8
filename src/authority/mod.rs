//! Keys and certificates: who may sign what, who is trusted, and the live material that listeners and signers hold.
//!
//! Invariants: a private key leaves this room only inside a [`crate::identity::Signer`] or sealed; whatever narrows trust
//! ends the answers under way of those concerned in the same transaction (I2, I3); what is live is replaced whole, and
//! only by material that was built and checked first: bad material never replaces good. This room knows nothing of
//! requests, tokens or consents.

pub mod certificates;
mod error;
mod expiry_alerts;
pub mod files;
pub mod keyring;
pub mod keys;
mod lists;
pub mod local_ca;
pub mod partners;
pub mod profile;
mod public;
mod purpose;
mod record;
pub mod server;
pub mod tls_reload;

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    config::{self, Secrets},
    domain::Actor,
    store::{Crypter, Env},
};

pub use error::AuthorityError;
pub use keyring::{KeyRecord, Keyring, PublishedKey};
pub use profile::{Particulars, Profile, ProfileName};
pub use public::PublicServer;
pub use purpose::Purpose;
pub use tls_reload::{Live, LiveMaterial, Reloader};

/// What keys and certificates are administered with.
#[derive(Debug, Clone)]
pub struct Custody {
    /// Store, time and randomness for ids and serial numbers. Private keys and nonces come from the provider's own
    /// generator.
    pub env: Env,
    /// What seals private keys.
    pub crypter: Arc<Crypter>,
    /// Where the certificate profiles are; the compiled-in ones without it.
    pub profiles: Option<PathBuf>,
    /// How long our own revocation lists are good for.
    pub list_life: Duration,
    /// Who acts, as the ledger will name them.
    pub actor: Actor,
}

impl Custody {
    /// Custody as it is configured.
    pub fn new(env: Env, crypter: Arc<Crypter>, settings: &config::Authority) -> Self {
        let (profiles, list_life) = (settings.profiles_directory.clone(), settings.list_life());
        Self { env, crypter, profiles, list_life, actor: Actor::system() }
    }

    /// The same on behalf of somebody, whom the ledger will name.
    #[must_use]
    pub fn acting_for(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }
}

/// The crypter of the configured key-encryption keys.
pub fn crypter(secrets: &Secrets) -> Result<Crypter, AuthorityError> {
    let keys = secrets.key_encryption_keys().map_err(AuthorityError::Config)?;
    Crypter::from_bytes(keys.iter().map(config::KeyEncryptionKey::expose)).map_err(AuthorityError::Crypter)
}
