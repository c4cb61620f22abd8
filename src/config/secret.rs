//! Secrets from files. They are wiped from memory when dropped, and never printed.

use std::{fmt, path::Path};

use zeroize::Zeroizing;

use super::ConfigError;

/// A secret text.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Makes a secret of a text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Reads a secret from a file and trims white space around it. Errors name the setting `key`.
    pub fn read(file: &Path, key: &str) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map(Zeroizing::new)
            .map_err(|error| ConfigError::one(file, None, key, format!("cannot be read: {error}")))?;
        if text.trim().is_empty() {
            return Err(ConfigError::one(file, None, key, "is empty"));
        }
        Ok(Self(Zeroizing::new(text.trim().to_owned())))
    }

    /// The text. For the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}
