//! A secret read from a file: it wipes itself from memory and never prints.

use std::{fmt, path::Path};

use zeroize::Zeroizing;

use super::ConfigError;

/// A text that must not be seen.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret from memory.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Reads a file and drops the white space around its text. `key` names the setting in errors.
    pub fn read(file: &Path, key: &str) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map(Zeroizing::new)
            .map_err(|error| ConfigError::one(file, None, key, format!("cannot be read: {error}")))?;
        if text.trim().is_empty() {
            return Err(ConfigError::one(file, None, key, "is empty"));
        }
        Ok(Self(Zeroizing::new(text.trim().to_owned())))
    }

    /// The text, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}
