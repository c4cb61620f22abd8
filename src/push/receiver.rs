//! Receivers of packages, as `config/receivers.toml` says.

use serde::{Deserialize, Serialize};

use super::PushError;
use crate::scoring::Basis;

/// The receivers compiled in, as text.
pub const BUILT_IN: &str = include_str!("../../config/receivers.toml");

/// The form of the data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// An object a line.
    Ndjson,
    /// Comma-separated, with a header.
    Csv,
}

impl Format {
    /// What its file's name ends with.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

/// What a receiver may have of natural persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Natural {
    /// Nothing: they are left out.
    None,
    /// The national code and the grade; never a name or a certificate number.
    Code,
}

/// Who receives packages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// The stable word.
    pub id: String,
    /// Its name.
    pub name_zh: String,
    /// The form of the data file.
    pub format: Format,
    /// The kinds of subject whose grades it may have.
    pub kinds: Vec<String>,
    /// What it may have of natural persons.
    pub natural: Natural,
    /// Whether it may have the total.
    pub points: bool,
    /// Where that comes from.
    pub basis: Basis,
    /// The publication, where `basis` is published.
    pub source: Option<String>,
    /// Why, where `basis` is default.
    pub reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    receiver: Vec<Receiver>,
}

/// Every receiver of a table; `file` names it in what is refused.
pub fn receivers(file: &str, text: &str) -> Result<Vec<Receiver>, PushError> {
    let refused = |message: String| PushError::Receivers { file: file.to_owned(), message };
    let table: File = toml::from_str(text).map_err(|error| refused(error.to_string()))?;
    for (at, one) in table.receiver.iter().enumerate() {
        if table.receiver.iter().take(at).any(|other| other.id == one.id) {
            return Err(refused(format!("{} stands there twice", one.id)));
        }
        let said = match one.basis {
            Basis::Published => one.source.is_some(),
            Basis::Default => one.reason.is_some(),
        };
        if !said {
            return Err(refused(format!("{}: say where it comes from: a source, or a reason", one.id)));
        }
    }
    Ok(table.receiver)
}
