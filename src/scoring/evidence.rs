//! What a value rests on: the records behind it, or why there is none.

use serde::{Deserialize, Serialize};

use crate::{
    domain::HalfYear,
    i18n::{Lang, score as text},
};

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingReason {
    /// No fact was reported.
    NoData,
    /// The denominator is zero or negative.
    NothingToDivideBy,
    /// The previous half-year has no positive value to compare with.
    NoFormerPeriod,
    /// The date is not in the subject's file, or is after the period.
    NoDay,
    /// There are too few peers to compare with.
    FewPeers,
}

impl MissingReason {
    /// The reason in words.
    pub const fn describe(self, lang: Lang) -> &'static str {
        match self {
            Self::NoData => text::no_data(lang),
            Self::NothingToDivideBy => text::nothing_to_divide_by(lang),
            Self::NoFormerPeriod => text::no_former_period(lang),
            Self::NoDay => text::no_day(lang),
            Self::FewPeers => text::few_peers(lang),
        }
    }
}

/// The records behind a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub measure: String,
    pub period: HalfYear,
    /// The value of the measure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// The number of facts.
    pub facts: usize,
    /// The references of the latest facts, latest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub references: Vec<String>,
    /// The sources that reported another value of a stock for the latest day, which does not count.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub other_sources: Vec<String>,
}
