//! The kinds of subject that have a credit (信用主体), as data: `config/kinds.toml`, or a city's own file in its place.
//!
//! Cities differ in which kinds they grade, and two of the code patterns are not confirmed by an official list. So nothing
//! in the program knows a kind by its word: whatever depends on one asks this table.

mod file;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{
    codes::CodePattern,
    table::{Faults, TableError, read},
};
use file::{KindsFile, check};

/// The kinds compiled in, as text: documentation and default at once.
pub const BUILT_IN: &str = include_str!("../../../config/kinds.toml");

/// Whether a kind's subjects are legal or natural persons. Natural ones are personal information throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Person {
    /// 法人或其他组织.
    Legal,
    /// 自然人.
    Natural,
}

/// How sure it is that a kind is one of the city's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KindBasis {
    /// A published text names it; `source` says which.
    Certain,
    /// It follows from other texts; `reason` says how.
    Likely,
}

/// What the subjects of a kind are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeScheme {
    /// A national medical-insurance code.
    National,
    /// A prefix and the unified social credit code.
    Uscc,
    /// A number that the bureau gives.
    Own,
}

/// Whether a subject's certificate number must be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// Where there is none, there is none.
    Optional,
    /// A row without one is not taken.
    Required,
}

/// A kind of subject, as its table in `config/kinds.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// The stable word: `medical_institution`.
    pub id: String,
    /// 名称.
    pub name: String,
    /// How sure it is that the city grades it.
    pub basis: KindBasis,
    /// Where a certain one is named, or why a likely one is.
    pub ground: String,
    /// Legal or natural.
    pub person: Person,
    /// What its codes are.
    pub code_scheme: CodeScheme,
    /// What its codes look like.
    pub codes: Vec<CodePattern>,
    /// Whether its certificate number must be known.
    pub certificate: Certificate,
    /// CRED_OBJ_TYPE, where known.
    pub object_type: Option<u8>,
    /// The kind that its information catalogue is of; none while there is no catalogue.
    pub catalogue: Option<String>,
    /// The models that rate it, the present one first.
    pub models: Vec<String>,
    /// Whether a bank may ask for its data with consent.
    pub lendable: bool,
    /// Whether its grade may be made public, by a receiver that publishes what it is given.
    pub publishable: bool,
    /// The line its table begins on.
    pub line: usize,
}

impl Kind {
    /// Whether a code looks like one of its subjects'.
    pub fn matches(&self, code: &str) -> bool {
        self.codes.iter().any(|pattern| pattern.matches(code))
    }

    /// The unified social credit code that a code of this kind holds, where its codes do.
    pub fn uscc_of<'c>(&self, code: &'c str) -> Option<&'c str> {
        self.codes.iter().find_map(|pattern| pattern.uscc_of(code))
    }

    /// Whether its subjects are natural persons.
    pub fn is_natural(&self) -> bool {
        self.person == Person::Natural
    }

    /// Its code patterns in words.
    pub fn patterns(&self) -> String {
        self.codes.iter().map(CodePattern::to_string).collect::<Vec<_>>().join(" or ")
    }
}

/// Why a code does not fit the kind it is said to be of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// No such kind is configured.
    #[error("is not a kind of subject; there are {known}")]
    Unknown {
        /// The kinds there are.
        known: String,
    },
    /// The code looks like none of the kind's patterns.
    #[error("a code of kind {kind} looks like {patterns}")]
    Pattern {
        /// The kind.
        kind: String,
        /// Its patterns.
        patterns: String,
    },
}

/// Every kind of subject, in the order of its file.
#[derive(Debug, Clone)]
pub struct Kinds {
    file: String,
    kinds: Vec<Kind>,
}

impl Kinds {
    /// Reads a table of kinds; `file` names it in what is refused. Refused are a kind named twice, patterns that a code
    /// could fit two of, and what no city may do with a natural person.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, TableError> {
        let raw: KindsFile = read(file, text)?;
        let mut faults = Faults::new(file);
        check(&raw.kind, text, &mut faults);
        faults.finish()?;
        let kinds = raw.kind.into_iter().map(|kind| kind.into_kind(text)).collect();
        Ok(Self { file: file.to_owned(), kinds })
    }

    /// The kinds compiled in.
    pub fn built_in() -> Result<Self, TableError> {
        Self::from_toml("config/kinds.toml", BUILT_IN)
    }

    /// Every kind.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter()
    }

    /// The kind of a name.
    pub fn find(&self, id: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.id == id)
    }

    /// The kind whose pattern a code fits.
    pub fn of_code(&self, code: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.matches(code))
    }

    /// The model that rates each kind at present; nothing of a kind that none rates.
    pub fn present_models(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().filter_map(|kind| kind.models.first()).map(String::as_str)
    }

    /// The names of the kinds of natural persons.
    pub fn natural(&self) -> Vec<String> {
        self.kinds.iter().filter(|kind| kind.is_natural()).map(|kind| kind.id.clone()).collect()
    }

    /// The kind of a name, if a code fits it.
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

    /// Refuses a table that names a catalogue that is not there, or a model that is not, or is another kind's.
    /// `kind_of_model` says which kind a model in force rates.
    pub fn check_names<'m>(
        &self,
        has_catalogue: impl Fn(&str) -> bool,
        kind_of_model: impl Fn(&str) -> Option<&'m str>,
    ) -> Result<(), TableError> {
        let mut faults = Faults::new(&self.file);
        for kind in &self.kinds {
            if let Some(catalogue) = &kind.catalogue {
                faults.require(has_catalogue(catalogue), kind.line, || {
                    format!("{} names the catalogue {catalogue}, and there is none of that kind", kind.id)
                });
            }
            for model in &kind.models {
                let rates = kind_of_model(model);
                faults.require(rates == Some(kind.id.as_str()), kind.line, || match rates {
                    None => format!("{} names the model {model}, and there is none", kind.id),
                    Some(other) => format!("{} names the model {model}, which rates {other}", kind.id),
                });
            }
        }
        faults.finish()
    }
}
