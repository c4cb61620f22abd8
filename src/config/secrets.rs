//! `[secrets]`: keys that protect keys.

use std::{fmt, path::PathBuf};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ConfigError, Report, Secret, Section};

/// Where the keys are that protect keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The list of key-encryption keys; the first encrypts, all decrypt.
    pub key_encryption_key_file: PathBuf,
}

/// 32 bytes that encrypt private keys and identities at rest.
#[derive(Clone)]
pub struct KeyEncryptionKey(Zeroizing<[u8; 32]>);

impl KeyEncryptionKey {
    /// A key from memory.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one place that uses them.
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
    /// Reads the list: at least one key, the first one encrypts.
    pub fn key_encryption_keys(&self) -> Result<Vec<KeyEncryptionKey>, ConfigError> {
        let file = &self.key_encryption_key_file;
        let text = Secret::read(file, KEY)?;
        let mut keys = Vec::new();
        for (at, line) in text.expose().lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let wrong = || ConfigError::one(file, Some(at + 1), KEY, "is not the Base64 of 32 bytes");
            let bytes = Zeroizing::new(BASE64.decode(line.as_bytes()).map_err(|_| wrong())?);
            keys.push(KeyEncryptionKey::new(bytes.as_slice().try_into().map_err(|_| wrong())?));
        }
        if keys.is_empty() {
            return Err(ConfigError::one(file, None, KEY, "holds no key"));
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
