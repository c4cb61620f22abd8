//! What an indicator or signal measures, and how an indicator's value becomes points.

use serde::{Deserialize, Serialize};

use crate::scoring::number::{Decimal, Points};

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ValueForm {
    /// A measure as it is.
    Measure(String),
    /// The sum of some measures over the sum of others.
    Ratio {
        /// Added up above the line.
        numerator: Vec<String>,
        /// Added up below it.
        denominator: Vec<String>,
    },
    /// How much a measure or ratio grew from the half-year before: `(now - before) / before`.
    Growth {
        /// What grew.
        of: Box<ValueForm>,
    },
    /// How many events happened.
    Count {
        /// Of these kinds.
        measures: Vec<String>,
        /// In the half-years from the nearest to the farthest one back, both included; `[0, 0]` is the present one.
        #[serde(default)]
        periods_back: [u8; 2],
    },
    /// How a measure or ratio stands among those of the subject's peers in the same run: the share of the others that are
    /// below, each other of the same value counting half.
    PeerPercentile {
        /// What is compared.
        of: Box<ValueForm>,
        /// With whom.
        among: PeerGroup,
        /// With fewer others than this there is nothing to compare with.
        least: u32,
    },
    /// Full months from a day of the subject's file to the last day of the period.
    Age {
        /// Which day.
        since: SubjectDay,
    },
}

/// A day in a subject's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectDay {
    /// 协议签订日期.
    AgreementSignedOn,
}

/// Who a subject's peers are: of those that take part in the run and have the value, the others
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerGroup {
    /// of the same kind: all of the run.
    Kind,
    /// of the same level; those without one are a level of their own.
    Level,
    /// of the same region.
    Region,
}

impl PeerGroup {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Level => "level",
            Self::Region => "region",
        }
    }
}

/// How a value becomes points. Whatever the form, points are cut to whole thousandths downwards and kept between
/// nothing and the indicator's weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScoreForm {
    /// In proportion between a value that earns nothing and one that earns all; either may be the greater.
    Linear {
        /// Earns nothing.
        worst: Decimal,
        /// Earns the whole weight.
        best: Decimal,
    },
    /// By steps, each up to but not including its `below`; the last has none.
    Bands(Vec<Band>),
    /// So many points to begin with, and so many more or less for each event.
    PerEvent {
        /// Without any event.
        start: Points,
        /// For each one; negative takes points off.
        each: Points,
    },
    /// The value is a score itself, out of so much.
    PassThrough {
        /// The greatest score there is.
        out_of: Decimal,
    },
}

/// A step of [`ScoreForm::Bands`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// It ends before this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Decimal>,
    /// What it earns.
    pub points: Points,
}

/// What an indicator gives where there is nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Missing {
    /// For counts of events, and only for them: no record means that none happened.
    NoneHappened,
    /// Nothing.
    Zero,
    /// The whole weight.
    Full,
    /// So many points.
    Points(Points),
}
