//! The engines of exchange databases, and the names in them.

use std::{fmt, str::FromStr};

use crate::domain::{Malformed, words::words};

/// The most characters of a name: PostgreSQL cuts longer ones off.
const LONGEST: usize = 63;

words! {
    /// The engine of an exchange database.
    Engine: "engine" {
        /// PostgreSQL.
        Postgres = "postgres",
        /// MariaDB or MySQL.
        Mariadb = "mariadb",
    }
}

/// A name of a table or column of an exchange database: ASCII letters, digits and underscores, at most 63. To be quoted in
/// statements.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identifier(String);

impl Identifier {
    /// The text, not quoted.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Identifier {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if plain && (1..=LONGEST).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(Malformed(format!(
            "{text:?} cannot be a name in an exchange database: use letters, digits and underscores, at most {LONGEST}"
        )))
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
