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

/// The facts of one measure in one half-year.
#[derive(Debug, Clone, Default)]
struct Total {
    facts: Range<usize>,
    sum: i64,
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
}

impl Lack {
    /// What a reader is told.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::NoData => "nothing was reported",
            Self::NothingToDivideBy => "there is nothing to divide by",
            Self::NoFormerPeriod => "there is no former half-year to compare with",
            Self::NoDay => "the day is not known",
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
}

impl Measures {
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
            total.sum =
                total.sum.checked_add(fact.value.0).filter(|sum| sum.abs() < GREATEST_SUM).ok_or_else(|| TooLarge {
                    measure: catalogue
                        .measures()
                        .get(fact.measure)
                        .map(|measure| measure.id.clone())
                        .unwrap_or_default(),
                    period: HalfYear::of(fact.occurred_on.month()),
                })?;
        }
        let forms = catalogue.measures().iter().map(|measure| measure.form).collect();
        Ok(Self { period, agreement_signed_on, facts, totals, forms })
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
    pub(super) fn count(&self, measure: usize, back: u8) -> usize {
        self.facts_of(measure, back).len()
    }

    /// A measure's value in a half-year, in ten-thousandths.
    pub(super) fn value(&self, measure: usize, back: u8) -> Option<i64> {
        let facts = self.facts_of(measure, back);
        match self.forms.get(measure)? {
            MeasureForm::Stock => facts.last().map(|fact| fact.value.0),
            MeasureForm::Flow | MeasureForm::Event if facts.is_empty() => None,
            MeasureForm::Flow | MeasureForm::Event => self.total(measure, back).map(|total| total.sum),
        }
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
            facts: facts.len(),
            references: facts.iter().rev().take(REFERENCES_TOLD).map(|fact| fact.reference.clone()).collect(),
        }
    }
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
