//! `[secrets]`: keys that encrypt keys.

use std::{fmt, path::PathBuf};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ConfigError, Report, Secret, Section};

/// Keys that encrypt keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The file of key-encryption keys. All decrypt; the first one encrypts once `keys reseal` has run.
    pub key_encryption_key_file: PathBuf,
    /// Whether the gateway serves although other users can reach its secrets or its store.
    pub allow_other_users: bool,
}

/// A key of 32 bytes that encrypts private keys and identities at rest.
#[derive(Clone)]
pub struct KeyEncryptionKey(Zeroizing<[u8; 32]>);

impl KeyEncryptionKey {
    /// Makes a key of its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. For the one place that uses them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyEncryptionKey(redacted)")
    }
}

const KEY: &str = "secrets.key_encryption_key_file";

impl Secrets {
    /// Reads the keys, of which there is at least one.
    pub fn key_encryption_keys(&self) -> Result<Vec<KeyEncryptionKey>, ConfigError> {
        let file = &self.key_encryption_key_file;
        let text = Secret::read(file, KEY)?;
        let mut keys = Vec::new();
        for (at, line) in text.expose().lines().enumerate() {
            // Base64 has no `#`, so a comment may follow a key.
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let wrong = || ConfigError::one(file, Some(at + 1), KEY, "is not the Base64 of 32 bytes");
            // Erased when it is dropped, like the key itself.
            let bytes = Zeroizing::new(BASE64.decode(line.as_bytes()).map_err(|_| wrong())?);
            keys.push(KeyEncryptionKey::new(bytes.as_slice().try_into().map_err(|_| wrong())?));
        }
        if keys.is_empty() {
            return Err(ConfigError::one(file, None, KEY, "has no key"));
        }
        Ok(keys)
    }
}

impl Section for Secrets {
    fn check(&self, report: &mut Report<'_>) {
        let named = self.key_encryption_key_file.file_name().is_some();
        report.require(named, "key_encryption_key_file", "must name a file");
    }
}
