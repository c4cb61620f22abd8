//! The outcome of applying a model to a subject: points, grade and explanation.

use serde::{Deserialize, Serialize};

use super::{
    decide::Part,
    evidence::{Evidence, MissingReason},
    improvement::Improvement,
    relations::Branches,
};
use crate::domain::money::MilliPoints;

/// The value and points of one indicator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The number of the indicator.
    pub no: u16,
    /// The exact value, as in `3/400`; absent where data is missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// The same with four decimals, truncated, for display.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shown: Option<String>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missing: Option<MissingReason>,
    /// The part of the rule that applied, in words.
    pub rule: String,
    /// The points earned.
    pub points: MilliPoints,
    /// The records behind the value.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub records: Vec<Evidence>,
}

/// The value of one signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalFinding {
    /// The id of the signal.
    pub signal: String,
    /// The exact value; absent where data is missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// The same with four decimals, truncated, for display.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shown: Option<String>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missing: Option<MissingReason>,
    /// The records behind the value.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub records: Vec<Evidence>,
}

/// A rule, cap, veto or chain rule that applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The sort of rule.
    pub part: Part,
    /// The clause that it is cited by.
    pub clause: String,
    /// The grade that it gives, or the best grade that it allows.
    pub grade: String,
    /// The most points that a cap or veto allows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at_most: Option<MilliPoints>,
    /// Its conditions that are met, in words.
    pub because: Vec<String>,
    /// Whether it determines the grade or the total.
    pub decides: bool,
}

/// The assessment of a subject, with its explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The total; none under a model that grades by rules.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub points: Option<MilliPoints>,
    /// The code of the grade.
    pub grade: String,
    /// Every indicator, in the model's order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<Finding>,
    /// Every signal, in the model's order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub signals: Vec<SignalFinding>,
    /// The counts of its branches, where the subject is the head of a chain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub branches: Option<Branches>,
    /// Every rule, cap, veto and chain rule that applies, in the order of evaluation.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub decisions: Vec<Decision>,
    /// What would raise the grade; none for the best grade.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub raise: Option<Improvement>,
}

/// Points and grade of a subject, without the explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The total; none under a model that grades by rules.
    pub points: Option<MilliPoints>,
    /// The code of the grade.
    pub grade: String,
    /// The results of the parts of the model.
    pub parts: Parts,
}

/// The results of the parts of a model, in the model's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    /// The points of each indicator.
    Points(Vec<MilliPoints>),
    /// The exact value of each signal; none where data is missing.
    Signals(Vec<Option<String>>),
}

impl Parts {
    /// The form that a run stores.
    pub fn to_json(&self) -> String {
        // Infallible: lists of numbers or texts.
        match self {
            Self::Points(points) => serde_json::to_string(points).unwrap_or_default(),
            Self::Signals(values) => serde_json::to_string(values).unwrap_or_default(),
        }
    }
}
