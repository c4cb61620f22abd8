//! The rules of a model: signals and conditions over them, grade rules, limits, chains, and consequences of grades.

use serde::{Deserialize, Serialize};

use super::{ValueForm, origin::sourced};
use crate::scoring::number::{Decimal, Points};

sourced! {
    /// A named value that conditions refer to.
    pub struct Signal {
        /// The id that conditions use.
        pub id: String,
        pub name_zh: String,
        pub value: ValueForm,
        /// The policy for missing data.
        pub missing: SignalMissing,
        basis, source, reason,
    }
}

/// The policy of a signal for missing data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SignalMissing {
    /// Only for counts of events: no record means no event.
    NoneHappened,
    /// No condition on it is met.
    NoConditionHolds,
    /// This value is assumed.
    Value(Decimal),
}

/// A condition on a signal: the value must be within all bounds that are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The id of the signal.
    pub signal: String,
    /// The least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Decimal>,
    /// The greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Decimal>,
    /// The value must be greater.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<Decimal>,
    /// The value must be less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Decimal>,
}

/// When a rule applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum When {
    /// When at least one condition is met.
    Any(Vec<Condition>),
    /// When every condition is met.
    All(Vec<Condition>),
}

impl When {
    /// The conditions.
    pub fn conditions(&self) -> &[Condition] {
        match self {
            Self::Any(conditions) | Self::All(conditions) => conditions,
        }
    }
}

sourced! {
    /// A rule of a rule model: the first one that applies gives the grade.
    pub struct GradeRule {
        /// The clause that it is cited by.
        pub clause: String,
        /// The grade that it gives.
        pub grade: String,
        /// When it applies. The last rule has none: it covers all other cases.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub when: Option<When>,
        basis, source, reason,
    }
}

sourced! {
    /// A cap of a points model: an upper limit of the total while it applies.
    pub struct Cap {
        /// The clause that it is cited by.
        pub clause: String,
        /// When it applies.
        pub when: When,
        /// The most points. Exactly one of `at` and `grade` is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub at: Option<Points>,
        /// The best grade: the total stays just below the next better one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub grade: Option<String>,
        basis, source, reason,
    }
}

sourced! {
    /// A veto of a points model (一票否决): while it applies, no better grade is given than this one.
    pub struct Veto {
        /// The clause that it is cited by.
        pub clause: String,
        /// When it applies.
        pub when: When,
        /// The best possible grade.
        pub grade: String,
        basis, source, reason,
    }
}

sourced! {
    /// How the grades of branches affect the head of their chain.
    pub struct Chain {
        /// The grade whose branches are counted.
        pub counts: String,
        /// The rules by the number of such branches, from one on, without a gap.
        pub rule: Vec<ChainRule>,
        /// Which grade counts where the head's own grade is worse than a direct one.
        pub own_worse: OwnWorse,
        basis, source, reason,
    }
}

sourced! {
    /// The effect of a number of branches on their head: exactly one of `best` and `direct` is given.
    pub struct ChainRule {
        /// The least number of branches.
        pub from: u32,
        /// The greatest number of branches; the last rule has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub to: Option<u32>,
        /// The head's grade is at best this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub best: Option<String>,
        /// The head's grade is this one (直接评定为).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub direct: Option<String>,
        /// An exception, over the head's own signals.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub unless: Option<When>,
        basis, source, reason,
    }
}

impl ChainRule {
    /// Whether the rule is for this number of branches.
    pub fn covers(&self, branches: u32) -> bool {
        branches >= self.from && self.to.is_none_or(|to| branches <= to)
    }
}

sourced! {
    /// Which grade counts where the head's own grade is worse than the direct one of a chain rule.
    pub struct OwnWorse {
        pub outcome: OwnWorseOutcome,
        basis, source, reason,
    }
}

/// Which of two grades counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnWorseOutcome {
    /// The head keeps its own grade.
    Stands,
    /// The direct grade replaces it, although it is better.
    Replaced,
}

sourced! {
    /// A supervisory measure that follows a grade (分类监管措施).
    pub struct Consequence {
        /// The grade that leads to it.
        pub grade: String,
        /// The number of results with this grade in a row; 1 is the present one alone.
        #[serde(default = "once", skip_serializing_if = "is_once")]
        pub after_consecutive: u8,
        /// The measure in words.
        pub text_zh: String,
        basis, source, reason,
    }
}

const fn once() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
const fn is_once(times: &u8) -> bool {
    *times == 1
}
