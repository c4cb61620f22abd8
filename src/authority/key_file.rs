//! The file of key-encryption keys while a gateway serves: reloaded when it changes, and reported to other processes.
//!
//! A new key of the file only opens. Which key seals is decided in the store, by `keys reseal` and for all gateways
//! together (docs/KEYS.md), and only once each of them has reported that it has the key.

use tokio::sync::Mutex;

use super::{
    AuthorityError, Custody, files, key_holders,
    seen_file::{FileStamp, stamp},
    server::ServerFiles,
};
use crate::{
    config::Secrets,
    domain::error_chain,
    store::{Crypter, keys},
};

/// The file of key-encryption keys of a serving gateway.
#[derive(Debug)]
pub struct KeyFile {
    secrets: Secrets,
    /// The files whose keys are sealed too: a list that cannot open them would stop the next start.
    servers: Vec<ServerFiles>,
    gateway: String,
    stamp: Mutex<Option<FileStamp>>,
}

impl KeyFile {
    /// Reads the file for the first time.
    pub async fn open(secrets: &Secrets, servers: Vec<ServerFiles>) -> Result<(Self, Crypter), AuthorityError> {
        // The stamp first: a file that is replaced before it is read then has a new stamp and is read again.
        let stamp = Mutex::new(stamp(&secrets.key_encryption_key_file).await);
        let crypter = super::crypter(secrets)?;
        let gateway = key_holders::gateway_name();
        Ok((Self { secrets: secrets.clone(), servers, gateway, stamp }, crypter))
    }

    /// Reports to other processes which keys this gateway has.
    pub async fn report(&self, custody: &Custody) -> Result<(), AuthorityError> {
        key_holders::report(custody, &self.gateway).await
    }

    /// Loads the file if it was replaced. A file that cannot be used is logged, and the former keys stay. Returns
    /// whether others are in use.
    pub async fn refresh(&self, custody: &Custody) -> bool {
        // Held over the reload: two reloads at the same time could store the older list last.
        let mut seen = self.stamp.lock().await;
        let current = stamp(&self.secrets.key_encryption_key_file).await;
        if current == *seen {
            return false;
        }
        // Set even if loading fails, so that a broken file is logged once and tried again when it changes.
        *seen = current;
        match self.load(custody).await {
            Ok(()) => tracing::info!(count = custody.crypter.key_ids().len(), "new key-encryption keys are in use"),
            Err(error) => {
                let error = error_chain(&error);
                tracing::error!(error, "the new file of key-encryption keys cannot be used; the former keys stay");
                return false;
            }
        }
        if let Err(error) = self.report(custody).await {
            // Reported again with the next housekeeping; until then `keys reseal` waits for this gateway.
            tracing::warn!(error = %error_chain(&error), "the new key-encryption keys could not be reported");
        }
        true
    }

    async fn load(&self, custody: &Custody) -> Result<(), AuthorityError> {
        let new = super::crypter(&self.secrets)?;
        // Everything is opened with the new list alone after the next start.
        for row in keys::list(&custody.env.db).await.map_err(AuthorityError::Store)? {
            if !new.has_key_of(&row.sealed_private) {
                return Err(still_needed(&format!("the private key {}", row.id)));
            }
        }
        for server in &self.servers {
            // A file that is missing or broken is reported where it is loaded.
            let sealed = files::read_item(files::SEALED_KEY, &server.key);
            if sealed.is_ok_and(|sealed| !new.has_key_of(&sealed)) {
                return Err(still_needed(&server.key.display().to_string()));
            }
        }
        custody.crypter.replace(&new);
        Ok(())
    }
}

fn still_needed(what: &str) -> AuthorityError {
    AuthorityError::Invalid(format!(
        "{what} is sealed under a key that the file does not have any more: insert it again, and run `medcredit keys \
         reseal` before you remove it"
    ))
}
