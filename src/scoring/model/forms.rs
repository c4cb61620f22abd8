//! Value forms of indicators and signals, and score forms of indicators.

use serde::{Deserialize, Serialize};

use crate::{
    domain::words::words,
    scoring::number::{Decimal, Points},
};

/// The form of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ValueForm {
    /// The value of a measure.
    Measure(String),
    /// The sum of some measures divided by the sum of others.
    Ratio {
        /// The measures of the numerator.
        numerator: Vec<String>,
        /// The measures of the denominator.
        denominator: Vec<String>,
    },
    /// The growth of a measure or ratio since the half-year before: `(now - before) / before`.
    Growth {
        /// The measure or ratio.
        of: Box<ValueForm>,
    },
    /// The number of events.
    Count {
        /// The measures of the events.
        measures: Vec<String>,
        /// The nearest and the farthest half-year back, both included; `[0, 0]` is the present one.
        #[serde(default)]
        periods_back: [u8; 2],
    },
    /// The percentile of a measure or ratio among the subject's peers in the same run: the share of the others with a lower
    /// value, where others with the same value count half.
    PeerPercentile {
        /// The compared value.
        of: Box<ValueForm>,
        /// The group of peers.
        among: PeerGroup,
        /// The least number of others; with fewer, data is missing.
        least: u32,
    },
    /// Complete months from a date in the subject's file to the last day of the period.
    Age {
        /// The date.
        since: SubjectDay,
    },
}

/// A date in a subject's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectDay {
    /// 协议签订日期.
    AgreementSignedOn,
}

words! {
    /// The peers of a subject, among those that take part in the run and have the value.
    PeerGroup: "peer group" {
        /// All subjects of the same kind.
        Kind = "kind",
        /// Subjects of the same level; those without one form a level of their own.
        Level = "level",
        /// Subjects of the same region.
        Region = "region",
    }
}

/// How a value becomes points. In every form, points are rounded down to whole thousandths and limited to the range from
/// zero to the indicator's weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScoreForm {
    /// In proportion between a value that earns zero and one that earns the full weight; either may be the greater.
    Linear {
        /// The value that earns zero.
        worst: Decimal,
        /// The value that earns the full weight.
        best: Decimal,
    },
    /// By bands, each up to but not including its `below`; the last band has none.
    Bands(Vec<Band>),
    /// Points to start with, and more or fewer for each event.
    PerEvent {
        /// The points without any event.
        start: Points,
        /// The points for each event; negative ones are deductions.
        each: Points,
    },
    /// The value is a score already.
    PassThrough {
        /// The greatest possible score.
        out_of: Decimal,
    },
}

/// A band of [`ScoreForm::Bands`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// The value before which it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Decimal>,
    /// The points that it gives.
    pub points: Points,
}

/// The policy of an indicator for missing data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Missing {
    /// Only for counts of events: no record means no event.
    NoneHappened,
    /// Zero points.
    Zero,
    /// The full weight.
    Full,
    Points(Points),
}
