//! What the catalogue says about the documents of facts.

use serde::{Deserialize, Serialize};

/// Whether facts of a measure must name their document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceRule {
    /// A fact without a reference is accepted.
    #[default]
    Optional,
    /// A fact without a reference is rejected: penalties, findings and judgments have numbers.
    Required,
}

/// What a second event of the same subject, measure, day and value is, if neither names a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repetitions {
    /// The same event, reported again: it is counted once.
    #[default]
    Unusual,
    /// Another event, as with complaints: each is counted.
    Usual,
}

/// For serde: what has its default value is left out of the canonical form, which is older than these rules.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
