//! The measures of one subject in a run: its facts of the period and of the half-years before, summed up by measure.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{
    catalogue::{Catalogue, MeasureForm},
    fact::Fact,
    identity::{FactIdentity, retain_distinct},
    number::{Decimal, Fraction},
};
use crate::{
    domain::{Day, HalfYear},
    i18n::{Lang, score as text},
};

/// Sums must stay below this, so that a ratio of ratios of them fits in 128 bits. As an amount it is 460 trillion yuan.
const GREATEST_SUM: i64 = 1 << 62;

/// The number of references that an explanation lists for each measure; the number of facts is always given.
const REFERENCES_LISTED: usize = 5;

/// A measure whose sum is too large to compute with: certainly an error in the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the facts of {measure} in {period} add up to more than the greatest sum that can be computed with")]
pub struct TooLarge {
    pub measure: String,
    pub period: HalfYear,
}

/// Count, sum and latest value of the facts of one measure in one half-year: all that a score is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// The number of facts.
    pub count: u64,
    /// Their sum, in ten-thousandths.
    pub sum: i64,
    /// The latest value; of several on one day, the one with the greatest source, then reference.
    pub latest: i64,
}

/// The facts of one measure of a subject in one half-year, summed up elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasureSums {
    /// The position of the measure in the catalogue.
    pub measure: usize,
    /// Half-years before the one that is scored.
    pub back: u8,
    /// The number of facts.
    pub count: u64,
    /// Their sum, in ten-thousandths.
    pub sum: i128,
    /// The latest value, in ten-thousandths.
    pub latest: i64,
}

/// The sums, with the range of the facts behind them, where they are known.
#[derive(Debug, Clone, Default)]
struct Total {
    facts: Range<usize>,
    sums: Sums,
}

/// The sum, if it is within bounds.
fn bounded(sum: i128) -> Option<i64> {
    i64::try_from(sum).ok().filter(|sum| (1 - GREATEST_SUM..GREATEST_SUM).contains(sum))
}

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

/// The measures of one subject, ready to be scored.
#[derive(Debug, Clone)]
pub struct Measures {
    period: HalfYear,
    agreement_signed_on: Option<Day>,
    /// Sorted by [`Fact::order`], one for each identity.
    facts: Vec<Fact>,
    /// By half-years back, then by measure.
    totals: Vec<Total>,
    forms: Vec<MeasureForm>,
    /// In the order of the model's comparisons.
    peers: Vec<Option<PeerRank>>,
    branches: Option<Branches>,
}

/// The rank of a subject among its peers in one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerRank {
    /// The number of others with a lower value.
    pub below: u32,
    /// The number of others with the same value.
    pub equal: u32,
    /// The number of others.
    pub of: u32,
}

impl PeerRank {
    /// The share of the others that are below, each of the same value counting half.
    pub fn percentile(self) -> Option<Fraction> {
        Fraction::new(2 * i128::from(self.below) + i128::from(self.equal), 2 * i128::from(self.of))
    }
}

/// The branches of a chain in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branches {
    /// The number of branches with the grade that the model counts.
    pub counted: u32,
    /// The number of graded branches.
    pub of: u32,
}

impl Measures {
    /// Adds the ranks among peers, in the order of the model's comparisons.
    #[must_use]
    pub fn with_peers(mut self, peers: Vec<Option<PeerRank>>) -> Self {
        self.peers = peers;
        self
    }

    /// Adds the counts of the branches of a head.
    #[must_use]
    pub const fn with_branches(mut self, branches: Option<Branches>) -> Self {
        self.branches = branches;
        self
    }

    /// The rank of the subject in one of the model's comparisons.
    pub fn peer(&self, nth: usize) -> Option<PeerRank> {
        self.peers.get(nth).copied().flatten()
    }

    /// The counts of its branches, where it is the head of a chain.
    pub const fn branches(&self) -> Option<Branches> {
        self.branches
    }

    /// Sums up facts, in any order; a document counts once. Facts outside the period and its look-back are left out.
    pub fn collect(
        catalogue: &Catalogue,
        period: HalfYear,
        lookback: u8,
        agreement_signed_on: Option<Day>,
        facts: Vec<Fact>,
    ) -> Result<Self, TooLarge> {
        Self::collect_by(FactIdentity::Document, catalogue, (period, lookback), agreement_signed_on, facts)
    }

    /// [`Measures::collect`] of facts that are distinguished in a given way.
    pub fn collect_by(
        identity: FactIdentity,
        catalogue: &Catalogue,
        (period, lookback): (HalfYear, u8),
        agreement_signed_on: Option<Day>,
        mut facts: Vec<Fact>,
    ) -> Result<Self, TooLarge> {
        let width = catalogue.measures().len();
        let back = |fact: &Fact| {
            usize::try_from(halves_between(HalfYear::of(fact.occurred_on.month()), period))
                .ok()
                .filter(|back| *back <= usize::from(lookback) && fact.measure < width)
        };
        // Before the sort, which then orders only the facts that count.
        facts.retain(|fact| back(fact).is_some());
        facts.sort_by(Fact::order);
        retain_distinct(catalogue, identity, &mut facts);
        let mut totals = vec![Total::default(); width * (usize::from(lookback) + 1)];
        for (at, fact) in facts.iter().enumerate() {
            // Each fact that is left has its place.
            let Some(total) = back(fact).and_then(|back| totals.get_mut(back * width + fact.measure)) else { continue };
            // Sorted by measure and then by day, so the facts of one total are neighbours.
            if total.facts.is_empty() {
                total.facts = at..at;
            }
            total.facts.end = at + 1;
            total.sums.count += 1;
            // The order above is by day, then source and reference: the last one written is the latest.
            total.sums.latest = fact.value.0;
            // Added in 128 bits and bounded after: a wrapped sum would be a plausible one.
            let sum = bounded(i128::from(total.sums.sum) + i128::from(fact.value.0));
            total.sums.sum =
                sum.ok_or_else(|| too_large(catalogue, fact.measure, HalfYear::of(fact.occurred_on.month())))?;
        }
        let forms = catalogue.measures().iter().map(|measure| measure.form).collect();
        Ok(Self { period, agreement_signed_on, facts, totals, forms, peers: Vec::new(), branches: None })
    }

    /// Measures from sums alone, without the facts behind them. They give the same points as the facts would.
    pub fn of_sums(
        catalogue: &Catalogue,
        period: HalfYear,
        lookback: u8,
        agreement_signed_on: Option<Day>,
        sums: impl IntoIterator<Item = MeasureSums>,
    ) -> Result<Self, TooLarge> {
        let width = catalogue.measures().len();
        let mut totals = vec![Total::default(); width * (usize::from(lookback) + 1)];
        for MeasureSums { measure, back, count, sum, latest } in sums {
            // Left out and not refused, as `collect` does with facts.
            if measure >= width || back > lookback {
                continue;
            }
            let sum = bounded(sum).ok_or_else(|| too_large(catalogue, measure, period.plus(-i32::from(back))))?;
            if let Some(total) = totals.get_mut(usize::from(back) * width + measure) {
                total.sums = Sums { count, sum, latest };
            }
        }
        let forms = catalogue.measures().iter().map(|measure| measure.form).collect();
        Ok(Self { period, agreement_signed_on, facts: Vec::new(), totals, forms, peers: Vec::new(), branches: None })
    }

    /// The sums of measures with facts, by half-years back, then by the position of the measure.
    pub fn sums(&self) -> impl Iterator<Item = (u8, usize, Sums)> {
        // At least one, so that an empty catalogue divides by one.
        let width = self.forms.len().max(1);
        let present = self.totals.iter().enumerate().filter(|(_, total)| total.sums.count > 0);
        // The look-back is a `u8`, so the half-year fits.
        present.map(move |(at, total)| (u8::try_from(at / width).unwrap_or(u8::MAX), at % width, total.sums))
    }

    /// The half-year that is scored.
    pub const fn period(&self) -> HalfYear {
        self.period
    }

    /// The day the agreement was signed, where known.
    pub const fn agreement_signed_on(&self) -> Option<Day> {
        self.agreement_signed_on
    }

    /// Every fact once, in an order that depends on content alone.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    fn total(&self, measure: usize, back: u8) -> Option<&Total> {
        self.totals.get(usize::from(back) * self.forms.len() + measure)
    }

    fn facts_of(&self, measure: usize, back: u8) -> &[Fact] {
        self.total(measure, back).and_then(|total| self.facts.get(total.facts.clone())).unwrap_or_default()
    }

    /// The number of facts of a measure in a half-year.
    pub(super) fn count(&self, measure: usize, back: u8) -> u64 {
        self.total(measure, back).map_or(0, |total| total.sums.count)
    }

    /// A measure's value in a half-year, in ten-thousandths.
    pub(super) fn value(&self, measure: usize, back: u8) -> Option<i64> {
        let form = self.forms.get(measure)?;
        let sums = self.total(measure, back).map(|total| total.sums).filter(|sums| sums.count > 0)?;
        Some(match form {
            MeasureForm::Stock => sums.latest,
            MeasureForm::Flow | MeasureForm::Event => sums.sum,
        })
    }

    /// The sum of some measures. Measures without facts count as zero; `None` where none has facts.
    pub(super) fn sum(&self, measures: &[usize], back: u8) -> Option<Fraction> {
        let mut values = measures.iter().filter_map(|measure| self.value(*measure, back)).peekable();
        // Without any fact there is no sum, which differs from a sum of zero.
        values.peek()?;
        // Values of 64 bits: 128 bits hold the sum of any number of measures.
        let sum = values.fold(0i128, |sum, value| sum + i128::from(value));
        Fraction::new(sum, Decimal::ONE.into())
    }

    /// The records behind a measure's value.
    pub(super) fn evidence(&self, catalogue_id: &str, measure: usize, back: u8) -> Evidence {
        let facts = self.facts_of(measure, back);
        Evidence {
            measure: catalogue_id.to_owned(),
            period: self.period.plus(-i32::from(back)),
            value: self.value(measure, back).map(|value| Decimal(value).to_string()),
            facts: usize::try_from(self.count(measure, back)).unwrap_or(usize::MAX),
            // Facts of a measure are in the order of days, so the latest are taken from the end.
            references: facts.iter().rev().take(REFERENCES_LISTED).map(|fact| fact.reference.clone()).collect(),
        }
    }
}

fn too_large(catalogue: &Catalogue, measure: usize, period: HalfYear) -> TooLarge {
    let id = catalogue.measures().get(measure).map(|measure| measure.id.clone());
    TooLarge { measure: id.unwrap_or_default(), period }
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
}

/// Half-years from one to a later one; negative when it is not later.
fn halves_between(from: HalfYear, to: HalfYear) -> i32 {
    // First months of half-years differ by multiples of six, so nothing is rounded.
    to.first_month().months_since(from.first_month()).div_euclid(6)
}
