//! What is known of one subject in a run: the facts of the period and of those it looks back to, by measure.

use std::{cmp::Ordering, ops::Range};

use serde::{Deserialize, Serialize};

use super::{
    catalogue::{Catalogue, MeasureForm},
    number::{Decimal, Fraction},
};
use crate::domain::{Day, HalfYear};

/// Sums stay below this, so that a ratio of ratios of them fits in 128 bits. As an amount it is 460 million million yuan.
const GREATEST_SUM: i64 = 1 << 62;

/// How many references an explanation repeats for each measure; the number of facts is always told.
const REFERENCES_TOLD: usize = 5;

/// One fact: a line of `records.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The place of its measure in the catalogue.
    pub measure: usize,
    /// The day it happened, or that it is as of.
    pub occurred_on: Day,
    /// Its value.
    pub value: Decimal,
    /// Who reported it.
    pub source: String,
    /// By what it can be found again.
    pub reference: String,
    /// Which import brought it: a fact delivered again replaces the former one.
    pub import_seq: i64,
}

impl Fact {
    /// The order in which facts are kept: by content alone, so that neither the order of lines nor that of files counts.
    fn order(&self, other: &Self) -> Ordering {
        self.identity()
            .cmp(&other.identity())
            .then(other.import_seq.cmp(&self.import_seq))
            .then(other.value.cmp(&self.value))
    }

    fn identity(&self) -> (usize, Day, &str, &str) {
        (self.measure, self.occurred_on, &self.source, &self.reference)
    }
}

/// A measure whose facts add up to more than the score can be computed with: certainly an error in the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the facts of {measure} in {period} add up to more than can be")]
pub struct TooLarge {
    /// The measure.
    pub measure: String,
    /// The half-year.
    pub period: HalfYear,
}

/// What the facts of one measure in one half-year come to: all that a score is reckoned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// How many there are.
    pub count: u64,
    /// What they add up to, in ten-thousandths.
    pub sum: i64,
    /// The latest value; of several on one day that of the greatest source, then reference.
    pub latest: i64,
}

/// The same with the facts themselves, where they are known one by one.
#[derive(Debug, Clone, Default)]
struct Total {
    facts: Range<usize>,
    sums: Sums,
}

/// The sum of facts, if it can be computed with.
fn bounded(sum: i128) -> Option<i64> {
    i64::try_from(sum).ok().filter(|sum| sum.abs() < GREATEST_SUM)
}

/// What the data lacks for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// No fact was reported.
    NoData,
    /// What should be divided by is nothing, or less.
    NothingToDivideBy,
    /// There is nothing in the half-year before that it could have grown from.
    NoFormerPeriod,
    /// The day is not in the subject's file, or lies after the period.
    NoDay,
    /// There are too few peers to compare with.
    FewPeers,
}

impl Lack {
    /// What a reader is told.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::NoData => "nothing was reported",
            Self::NothingToDivideBy => "there is nothing to divide by",
            Self::NoFormerPeriod => "there is no former half-year to compare with",
            Self::NoDay => "the day is not known",
            Self::FewPeers => "there are too few peers to compare with",
        }
    }
}

/// What is known of one subject, ready to be scored.
#[derive(Debug, Clone)]
pub struct Measures {
    period: HalfYear,
    agreement_signed_on: Option<Day>,
    /// Sorted by [`Fact::order`], one for each identity.
    facts: Vec<Fact>,
    /// By half-years back, then by measure.
    totals: Vec<Total>,
    forms: Vec<MeasureForm>,
    /// By the model's comparisons.
    peers: Vec<Option<Peer>>,
    branches: Option<Branches>,
}

/// How a subject stands among its peers in one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// How many of the others are below it.
    pub below: u32,
    /// How many of the others have the same value.
    pub equal: u32,
    /// How many others there are.
    pub of: u32,
}

impl Peer {
    /// The share of the others that are below, each of the same value counting half.
    pub fn percentile(self) -> Option<Fraction> {
        Fraction::new(2 * i128::from(self.below) + i128::from(self.equal), 2 * i128::from(self.of))
    }
}

/// What came of a chain's branches in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branches {
    /// How many have the grade that is counted.
    pub counted: u32,
    /// How many were graded.
    pub of: u32,
}

impl Measures {
    /// The same with how the subject stands among its peers, by the model's comparisons.
    #[must_use]
    pub fn with_peers(mut self, peers: Vec<Option<Peer>>) -> Self {
        self.peers = peers;
        self
    }

    /// The same for the head of a chain, with what came of its branches.
    #[must_use]
    pub const fn with_branches(mut self, branches: Option<Branches>) -> Self {
        self.branches = branches;
        self
    }

    /// How the subject stands among its peers in one of the model's comparisons.
    pub fn peer(&self, nth: usize) -> Option<Peer> {
        self.peers.get(nth).copied().flatten()
    }

    /// What came of its branches, where it is the head of a chain.
    pub const fn branches(&self) -> Option<Branches> {
        self.branches
    }

    /// Gathers facts, in whatever order they come. Those outside the period and its look-back are left out.
    pub fn collect(
        catalogue: &Catalogue,
        period: HalfYear,
        lookback: u8,
        agreement_signed_on: Option<Day>,
        mut facts: Vec<Fact>,
    ) -> Result<Self, TooLarge> {
        let width = catalogue.measures().len();
        let back = |fact: &Fact| {
            usize::try_from(halves_between(HalfYear::of(fact.occurred_on.month()), period))
                .ok()
                .filter(|back| *back <= usize::from(lookback) && fact.measure < width)
        };
        facts.retain(|fact| back(fact).is_some());
        facts.sort_by(Fact::order);
        // A reference names a fact: delivered again, the later delivery counts. Without one every line is a fact.
        facts.dedup_by(|later, kept| !kept.reference.is_empty() && later.identity() == kept.identity());
        let mut totals = vec![Total::default(); width * (usize::from(lookback) + 1)];
        for (at, fact) in facts.iter().enumerate() {
            let Some(total) = back(fact).and_then(|back| totals.get_mut(back * width + fact.measure)) else { continue };
            if total.facts.is_empty() {
                total.facts = at..at;
            }
            total.facts.end = at + 1;
            total.sums.count += 1;
            total.sums.latest = fact.value.0;
            let sum = bounded(i128::from(total.sums.sum) + i128::from(fact.value.0));
            total.sums.sum =
                sum.ok_or_else(|| too_large(catalogue, fact.measure, HalfYear::of(fact.occurred_on.month())))?;
        }
        let forms = catalogue.measures().iter().map(|measure| measure.form).collect();
        Ok(Self { period, agreement_signed_on, facts, totals, forms, peers: Vec::new(), branches: None })
    }

    /// What a score is reckoned from alone, without the facts behind it: place of the measure, half-years back, count,
    /// sum and latest value. It comes to the same points as the facts would.
    pub fn of_sums(
        catalogue: &Catalogue,
        period: HalfYear,
        lookback: u8,
        agreement_signed_on: Option<Day>,
        sums: impl IntoIterator<Item = (usize, u8, u64, i128, i64)>,
    ) -> Result<Self, TooLarge> {
        let width = catalogue.measures().len();
        let mut totals = vec![Total::default(); width * (usize::from(lookback) + 1)];
        for (measure, back, count, sum, latest) in sums {
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

    /// What the score is reckoned from: by half-years back, then by the measure's place, those without facts left out.
    pub fn sums(&self) -> impl Iterator<Item = (u8, usize, Sums)> {
        let width = self.forms.len().max(1);
        let known = self.totals.iter().enumerate().filter(|(_, total)| total.sums.count > 0);
        known.map(move |(at, total)| (u8::try_from(at / width).unwrap_or(u8::MAX), at % width, total.sums))
    }

    /// The half-year that is scored.
    pub const fn period(&self) -> HalfYear {
        self.period
    }

    /// The day the agreement was signed, if it is known.
    pub const fn agreement_signed_on(&self) -> Option<Day> {
        self.agreement_signed_on
    }

    /// Every fact that counts, each once, in an order that depends on content alone.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    fn total(&self, measure: usize, back: u8) -> Option<&Total> {
        self.totals.get(usize::from(back) * self.forms.len() + measure)
    }

    fn facts_of(&self, measure: usize, back: u8) -> &[Fact] {
        self.total(measure, back).and_then(|total| self.facts.get(total.facts.clone())).unwrap_or_default()
    }

    /// How many facts a measure has in a half-year.
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

    /// The sum of some measures; those without facts count as nothing unless all are.
    pub(super) fn sum(&self, measures: &[usize], back: u8) -> Option<Fraction> {
        let mut known = measures.iter().filter_map(|measure| self.value(*measure, back)).peekable();
        known.peek()?;
        let sum = known.fold(0i128, |sum, value| sum + i128::from(value));
        Fraction::new(sum, Decimal::ONE.into())
    }

    /// What stands behind a measure's value.
    pub(super) fn evidence(&self, catalogue_id: &str, measure: usize, back: u8) -> Evidence {
        let facts = self.facts_of(measure, back);
        Evidence {
            measure: catalogue_id.to_owned(),
            period: self.period.plus(-i32::from(back)),
            value: self.value(measure, back).map(|value| Decimal(value).to_string()),
            facts: usize::try_from(self.count(measure, back)).unwrap_or(usize::MAX),
            references: facts.iter().rev().take(REFERENCES_TOLD).map(|fact| fact.reference.clone()).collect(),
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
    /// The measure.
    pub measure: String,
    /// The half-year.
    pub period: HalfYear,
    /// What its facts come to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// How many facts there are.
    pub facts: usize,
    /// The latest few of them, latest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub references: Vec<String>,
}

/// Half-years from one to a later one; negative when it is not later.
fn halves_between(from: HalfYear, to: HalfYear) -> i32 {
    to.first_month().months_since(from.first_month()).div_euclid(6)
}
