//! The kinds of graded subjects (信用主体), as data: `config/kinds.toml`, or a file of the city that replaces it.
//!
//! Cities grade different kinds, and two of the code patterns are not confirmed by an official list. So no code depends
//! on the name of a kind: it looks up the kind's properties in this table.

mod file;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{
    codes::CodePattern,
    table::{Faults, TableError, read},
};
use file::{KindsFile, check};

/// The compiled-in table, as text: both the documentation and the default.
pub const BUILT_IN: &str = include_str!("../../../config/kinds.toml");

/// Whether a kind's subjects are legal or natural persons. All data of natural persons is personal information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Person {
    /// 法人或其他组织.
    Legal,
    /// 自然人.
    Natural,
}

/// How certain it is that the city grades a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KindBasis {
    /// A published text names the kind; `source` cites it.
    Certain,
    /// It follows from other texts; `reason` explains how.
    Likely,
}

/// The identifier that the subjects of a kind have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeScheme {
    /// A national medical-insurance code.
    National,
    /// A prefix and the unified social credit code.
    Uscc,
    /// A number that the bureau assigns.
    Own,
}

/// Whether a subject's certificate number is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// The number may be missing.
    Optional,
    /// A row without the number is refused.
    Required,
}

/// A kind of subject, from its table in `config/kinds.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// The stable name, such as `medical_institution`.
    pub id: String,
    /// 名称.
    pub name: String,
    pub basis: KindBasis,
    /// The source of a certain kind, or the reason for a likely one.
    pub ground: String,
    pub person: Person,
    pub code_scheme: CodeScheme,
    pub codes: Vec<CodePattern>,
    pub certificate: Certificate,
    /// CRED_OBJ_TYPE, if known.
    pub object_type: Option<u8>,
    /// The kind whose information catalogue applies; none while there is no catalogue.
    pub catalogue: Option<String>,
    /// The models that rate it, the current one first.
    pub models: Vec<String>,
    /// Whether a bank may read its data with consent.
    pub lendable: bool,
    /// Whether a receiver may make its grade public.
    pub publishable: bool,
    /// The line in the file.
    pub line: usize,
}

impl Kind {
    /// Whether a code matches one of the kind's patterns.
    pub fn matches(&self, code: &str) -> bool {
        self.codes.iter().any(|pattern| pattern.matches(code))
    }

    /// The unified social credit code inside a code of this kind, if its codes contain one.
    pub fn uscc_of<'c>(&self, code: &'c str) -> Option<&'c str> {
        self.codes.iter().find_map(|pattern| pattern.uscc_of(code))
    }

    /// Whether the subjects are natural persons.
    pub fn is_natural(&self) -> bool {
        self.person == Person::Natural
    }

    /// The code patterns as text.
    pub fn patterns(&self) -> String {
        self.codes.iter().map(CodePattern::to_string).collect::<Vec<_>>().join(" or ")
    }
}

/// Why a code does not belong to a kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// No such kind is configured.
    #[error("is not a kind of subject: use {known}")]
    Unknown {
        /// The configured kinds.
        known: String,
    },
    /// The code matches none of the kind's patterns.
    #[error("a code of kind {kind} looks like {patterns}")]
    Pattern { kind: String, patterns: String },
}

/// Every kind of subject, in the order of its file.
#[derive(Debug, Clone)]
pub struct Kinds {
    file: String,
    kinds: Vec<Kind>,
}

impl Kinds {
    /// Reads a table of kinds; errors name it by `file`. Duplicate kinds and overlapping patterns are refused, and so
    /// are settings that no city may choose for natural persons.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, TableError> {
        let raw: KindsFile = read(file, text)?;
        let mut faults = Faults::new(file);
        check(&raw.kind, text, &mut faults);
        faults.finish()?;
        let kinds = raw.kind.into_iter().map(|kind| kind.into_kind(text)).collect();
        Ok(Self { file: file.to_owned(), kinds })
    }

    /// Reads the compiled-in table.
    pub fn built_in() -> Result<Self, TableError> {
        Self::from_toml("config/kinds.toml", BUILT_IN)
    }

    /// Every kind.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter()
    }

    /// Finds a kind by name.
    pub fn find(&self, id: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.id == id)
    }

    /// Finds the kind whose pattern matches a code.
    pub fn of_code(&self, code: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.matches(code))
    }

    /// The current model of each kind that has one.
    pub fn current_models(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().filter_map(|kind| kind.models.first()).map(String::as_str)
    }

    /// The names of the kinds of natural persons.
    pub fn natural(&self) -> Vec<String> {
        self.kinds.iter().filter(|kind| kind.is_natural()).map(|kind| kind.id.clone()).collect()
    }

    /// Finds a kind by name and checks that a code belongs to it.
    pub fn check(&self, id: &str, code: &str) -> Result<&Kind, KindError> {
        let unknown = || KindError::Unknown {
            known: self.kinds.iter().map(|kind| kind.id.as_str()).collect::<Vec<_>>().join(", "),
        };
        let kind = self.find(id).ok_or_else(unknown)?;
        if kind.matches(code) {
            return Ok(kind);
        }
        Err(KindError::Pattern { kind: id.to_owned(), patterns: kind.patterns() })
    }

    /// Refuses a table with a catalogue or model that does not exist, or with a model of another kind. `kind_of_model`
    /// returns the kind that a model in force rates.
    pub fn check_names<'m>(
        &self,
        has_catalogue: impl Fn(&str) -> bool,
        kind_of_model: impl Fn(&str) -> Option<&'m str>,
    ) -> Result<(), TableError> {
        let mut faults = Faults::new(&self.file);
        for kind in &self.kinds {
            if let Some(catalogue) = &kind.catalogue {
                faults.require(has_catalogue(catalogue), kind.line, || {
                    format!("{} names the catalogue {catalogue}, which does not exist", kind.id)
                });
            }
            for model in &kind.models {
                let rates = kind_of_model(model);
                faults.require(rates == Some(kind.id.as_str()), kind.line, || match rates {
                    None => format!("{} names the model {model}, which does not exist", kind.id),
                    Some(other) => format!("{} names the model {model}, which rates {other}", kind.id),
                });
            }
        }
        faults.finish()
    }
}
