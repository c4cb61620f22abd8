//! Keys and certificates: signing keys, trusted authorities, and the live material of listeners and signers.
//!
//! Invariants: a private key leaves this room only sealed or inside a [`crate::identity::Signer`]; a change that
//! narrows trust ends the running responses of the affected clients in the same transaction (I2, I3); live material is
//! replaced as a whole, and only after the new material was built and checked, so bad material never replaces good.
//! This room does not know requests, tokens or consents.

mod audit;
pub mod certificates;
pub mod client_tls;
mod error;
mod expiry_alerts;
pub mod files;
mod key_file;
mod key_holders;
pub mod keyring;
pub mod keys;
mod live;
pub mod local_ca;
mod partner_lists;
pub mod partners;
pub mod profile;
mod public;
mod purpose;
mod seen_file;
pub mod server;
pub mod tls_reload;

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    config::{self, Secrets},
    domain::Actor,
    store::{Crypter, Env},
};

pub use error::AuthorityError;
pub use key_file::KeyFile;
pub use keyring::{KeyRecord, Keyring, PublishedKey};
pub use live::{Live, LiveMaterial};
pub use profile::{Profile, ProfileName, ProfileValues};
pub use public::PublicServer;
pub use purpose::Purpose;
pub use tls_reload::Reloader;

/// The context of every operation on keys and certificates.
#[derive(Debug, Clone)]
pub struct Custody {
    /// Store, clock, and randomness for ids and serial numbers. Private keys and nonces use the provider's generator.
    pub env: Env,
    /// Seals and opens private keys.
    pub crypter: Arc<Crypter>,
    /// The directory of the certificate profiles; without it the compiled-in profiles are used.
    pub profiles: Option<PathBuf>,
    /// The validity of the local CA's revocation lists.
    pub list_life: Duration,
    /// The actor that ledger entries name.
    pub actor: Actor,
}

impl Custody {
    /// Creates the context from the configuration, with the system as the actor.
    pub fn new(env: Env, crypter: Arc<Crypter>, settings: &config::Authority) -> Self {
        let (profiles, list_life) = (settings.profiles_directory.clone(), settings.list_life());
        Self { env, crypter, profiles, list_life, actor: Actor::system() }
    }

    /// Sets the actor that ledger entries name.
    #[must_use]
    pub fn acting_for(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }
}

/// Creates the crypter from the configured key-encryption keys.
pub fn crypter(secrets: &Secrets) -> Result<Crypter, AuthorityError> {
    let keys = secrets.key_encryption_keys().map_err(AuthorityError::Config)?;
    Crypter::from_bytes(keys.iter().map(config::KeyEncryptionKey::expose)).map_err(AuthorityError::Crypter)
}
