//! What a model says beside a tree: signals, conditions over them, grade rules, limits, chains, and what follows a grade.

use serde::{Deserialize, Serialize};

use super::{ValueForm, origin::sourced};
use crate::scoring::number::{Decimal, Points};

sourced! {
    /// Something that conditions ask about: a value with a name.
    pub struct Signal {
        /// The name conditions know it by.
        pub id: String,
        /// Its name to people.
        pub name_zh: String,
        /// What is measured.
        pub value: ValueForm,
        /// What happens where there is nothing to measure.
        pub missing: SignalMissing,
        basis, source, reason,
    }
}

/// What a signal is where there is nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SignalMissing {
    /// For counts of events, and only for them: no record means that none happened.
    NoneHappened,
    /// No condition on it holds.
    NoConditionHolds,
    /// As if it were so much.
    Value(Decimal),
}

/// A condition on a signal: every bound that is given must be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Which signal.
    pub signal: String,
    /// It is this or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Decimal>,
    /// It is this or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Decimal>,
    /// It is more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<Decimal>,
    /// It is less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Decimal>,
}

/// When something holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum When {
    /// When at least one condition holds.
    Any(Vec<Condition>),
    /// When every condition holds.
    All(Vec<Condition>),
}

impl When {
    /// Its conditions.
    pub fn conditions(&self) -> &[Condition] {
        match self {
            Self::Any(conditions) | Self::All(conditions) => conditions,
        }
    }
}

sourced! {
    /// A rule of a rule model: of all that hold the first gives the grade.
    pub struct GradeRule {
        /// What it is known by: the clause it comes from.
        pub clause: String,
        /// The grade it gives.
        pub grade: String,
        /// When it holds. The last rule has none: it takes the rest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub when: Option<When>,
        basis, source, reason,
    }
}

sourced! {
    /// A cap of a points model: while it holds, the total is at most so much.
    pub struct Cap {
        /// What it is known by.
        pub clause: String,
        /// When it holds.
        pub when: When,
        /// The most points; or else `grade`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub at: Option<Points>,
        /// The best grade: as many points as just do not reach the next better one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub grade: Option<String>,
        basis, source, reason,
    }
}

sourced! {
    /// A veto of a points model (一票否决): while it holds, points earn no better grade than this one.
    pub struct Veto {
        /// What it is known by.
        pub clause: String,
        /// When it holds.
        pub when: When,
        /// The grade.
        pub grade: String,
        basis, source, reason,
    }
}

sourced! {
    /// How the grades of its branches bear on the head of a chain.
    pub struct Chain {
        /// The grade whose branches are counted.
        pub counts: String,
        /// By number of such branches, from one on, without a gap.
        pub rule: Vec<ChainRule>,
        /// What counts where the head's own grade is worse than one that a rule gives directly.
        pub own_worse: OwnWorse,
        basis, source, reason,
    }
}

sourced! {
    /// What so many branches do to their head: exactly one of `best` and `direct` is given.
    pub struct ChainRule {
        /// From so many branches.
        pub from: u32,
        /// To so many, both included; the last rule has no end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub to: Option<u32>,
        /// The head's grade is at best this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub best: Option<String>,
        /// The head's grade is this one (直接评定为).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub direct: Option<String>,
        /// When the rule does not hold after all, over the head's own signals.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub unless: Option<When>,
        basis, source, reason,
    }
}

impl ChainRule {
    /// Whether it is for so many branches.
    pub fn covers(&self, branches: u32) -> bool {
        branches >= self.from && self.to.is_none_or(|to| branches <= to)
    }
}

sourced! {
    /// What counts where the head's own grade is worse than the one a chain rule gives directly.
    pub struct OwnWorse {
        /// Which grade counts.
        pub outcome: OwnWorseOutcome,
        basis, source, reason,
    }
}

/// Which of two grades counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnWorseOutcome {
    /// The head's own stands.
    Stands,
    /// The rule's takes its place, though it is better.
    Replaced,
}

sourced! {
    /// A measure that follows a grade (分类监管措施).
    pub struct Consequence {
        /// The grade it follows.
        pub grade: String,
        /// After how many results of this grade in a row; 1 is the present one alone.
        #[serde(default = "once", skip_serializing_if = "is_once")]
        pub after_consecutive: u8,
        /// What is done.
        pub text_zh: String,
        basis, source, reason,
    }
}

const fn once() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it may skip by reference")]
const fn is_once(times: &u8) -> bool {
    *times == 1
}
