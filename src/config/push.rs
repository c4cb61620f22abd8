//! `[push]`: platforms that receive grades.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Report, Section};
use crate::domain::{Uscc, printable::check_text};

/// The most characters of the evaluator's name.
const LONGEST_NAME: usize = 100;

/// Platforms that receive grades.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The directory of the operator's platforms.
    pub platforms_directory: PathBuf,
    /// The name of the body that grades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluator: Option<String>,
    /// Its unified social credit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluator_uscc: Option<String>,
}

impl Section for Push {
    fn check(&self, report: &mut Report<'_>) {
        if let Some(Err(error)) = self.evaluator.as_deref().map(|name| check_text(name, LONGEST_NAME)) {
            report.wrong("evaluator", error.to_string());
        }
        let uscc = self.evaluator_uscc.as_deref().map(|text| {
            // A code with wrong check characters is nobody's, and the platform would reject every row.
            Uscc::parse(text).ok().filter(|code| code.mismatches().is_empty() && code.implausible().is_none())
        });
        report.require(uscc != Some(None), "evaluator_uscc", "is not a unified social credit code");
    }
}
