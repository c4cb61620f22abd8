//! The measures of one subject in a run: its facts of the period and of the half-years before, summed up by measure.

use std::{ops::Range, sync::Arc};

use super::{
    catalogue::Catalogue,
    evidence::Evidence,
    fact::Fact,
    identity::{FactIdentity, retain_distinct},
    method::{Method, Reading, Validity},
    number::{Decimal, Fraction},
    relations::{Branches, PeerRank},
};
use crate::domain::{Day, HalfYear};

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
    /// The latest value; of several on one day, the one that was delivered last, then the one with the greatest source and
    /// reference.
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
    /// The day of the latest value, where it is known. Without it, a value counts only where every day of its half-year does.
    pub latest_on: Option<Day>,
}

/// The sums, with the range of the facts behind them, where they are known.
#[derive(Debug, Clone, Default)]
struct Total {
    facts: Range<usize>,
    sums: Sums,
    /// The day of the latest value.
    latest_on: Option<Day>,
}

impl Total {
    /// Takes the value of the next fact, in the order of [`Fact::order`], as the latest one; `import` is the one that delivered
    /// the latest value so far.
    fn take_latest(&mut self, fact: &Fact, method: Method, import: &mut i64) {
        // The order is by day, so no later fact has an earlier day.
        let same_day = self.latest_on == Some(fact.occurred_on);
        if same_day && method.prefers_later_delivery() && fact.import_seq < *import {
            return;
        }
        self.sums.latest = fact.value.0;
        self.latest_on = Some(fact.occurred_on);
        *import = fact.import_seq;
    }
}

/// The sum, if it is within bounds.
fn bounded(sum: i128) -> Option<i64> {
    i64::try_from(sum).ok().filter(|sum| (1 - GREATEST_SUM..GREATEST_SUM).contains(sum))
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
    readings: Arc<[Reading]>,
    method: Method,
    /// In the order of the model's comparisons.
    peers: Vec<Option<PeerRank>>,
    branches: Option<Branches>,
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

    /// Sums up facts, in any order, by the current method; a document counts once. Facts outside the period and its look-back
    /// are left out.
    pub fn collect(
        catalogue: &Catalogue,
        period: HalfYear,
        lookback: u8,
        agreement_signed_on: Option<Day>,
        facts: Vec<Fact>,
    ) -> Result<Self, TooLarge> {
        let halves = (period, lookback);
        Self::collect_by(Method::CURRENT, FactIdentity::Document, catalogue, halves, agreement_signed_on, facts)
    }

    /// Sums up facts by a method, distinguished in a given way; `(period, lookback)` are the half-year that is scored and the
    /// number of those before it.
    pub fn collect_by(
        method: Method,
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
        // Only of the total that is being added up: the facts of one total are neighbours.
        let mut latest_import = 0;
        for (at, fact) in facts.iter().enumerate() {
            // Each fact that is left has its place.
            let Some(total) = back(fact).and_then(|back| totals.get_mut(back * width + fact.measure)) else { continue };
            // Sorted by measure and then by day, so the facts of one total are neighbours.
            if total.facts.is_empty() {
                total.facts = at..at;
                latest_import = fact.import_seq;
            }
            total.facts.end = at + 1;
            total.sums.count += 1;
            total.take_latest(fact, method, &mut latest_import);
            // Added in 128 bits and bounded after: a wrapped sum would be a plausible one.
            let sum = bounded(i128::from(total.sums.sum) + i128::from(fact.value.0));
            total.sums.sum =
                sum.ok_or_else(|| too_large(catalogue, fact.measure, HalfYear::of(fact.occurred_on.month())))?;
        }
        let readings = catalogue.readings();
        Ok(Self { period, agreement_signed_on, facts, totals, readings, method, peers: Vec::new(), branches: None })
    }

    /// The same measures, read by another method.
    #[must_use]
    pub const fn with_method(mut self, method: Method) -> Self {
        self.method = method;
        self
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
        for MeasureSums { measure, back, count, sum, latest, latest_on } in sums {
            // Left out and not refused, as `collect` does with facts.
            if measure >= width || back > lookback {
                continue;
            }
            let sum = bounded(sum).ok_or_else(|| too_large(catalogue, measure, period.plus(-i32::from(back))))?;
            if let Some(total) = totals.get_mut(usize::from(back) * width + measure) {
                total.sums = Sums { count, sum, latest };
                total.latest_on = latest_on;
            }
        }
        let (readings, method) = (catalogue.readings(), Method::CURRENT);
        let facts = Vec::new();
        Ok(Self { period, agreement_signed_on, facts, totals, readings, method, peers: Vec::new(), branches: None })
    }

    /// The sums of measures with facts, by half-years back, then by the position of the measure.
    pub fn sums(&self) -> impl Iterator<Item = (u8, usize, Sums)> {
        // At least one, so that an empty catalogue divides by one.
        let width = self.readings.len().max(1);
        let present = self.totals.iter().enumerate().filter(|(_, total)| total.sums.count > 0);
        // The look-back is a `u8`, so the half-year fits.
        present.map(move |(at, total)| (u8::try_from(at / width).unwrap_or(u8::MAX), at % width, total.sums))
    }

    /// The stocks for which two sources reported different values on the latest day, with that day and the sources, the one
    /// whose value counts first. Only known where the measures were collected from facts.
    pub fn conflicts(&self) -> impl Iterator<Item = (usize, Day, Vec<String>)> {
        let width = self.readings.len().max(1);
        self.totals.iter().enumerate().filter_map(move |(at, total)| {
            let sources = self.sources_of_latest(at % width, total);
            (sources.len() > 1).then_some((at % width, total.latest_on?, sources))
        })
    }

    /// The source of a stock's latest value, and those that reported another value for that day.
    fn sources_of_latest(&self, measure: usize, total: &Total) -> Vec<String> {
        let is_stock = self.readings.get(measure).is_some_and(|reading| reading.is_stock);
        let facts = self.facts.get(total.facts.clone()).filter(|_| is_stock).unwrap_or_default();
        let same_day = facts.iter().filter(|fact| Some(fact.occurred_on) == total.latest_on);
        let (counts, others): (Vec<&Fact>, Vec<&Fact>) = same_day.partition(|fact| fact.value.0 == total.sums.latest);
        counts.into_iter().take(1).chain(others).map(|fact| fact.source.clone()).collect()
    }

    /// The day of the latest value of a measure in a half-year, where it is known.
    pub fn latest_on(&self, measure: usize, back: u8) -> Option<Day> {
        self.total(measure, back).and_then(|total| total.latest_on)
    }

    /// Whether nothing was reported for the half-year, and no stock of an earlier one is valid.
    pub fn is_empty(&self) -> bool {
        (0..self.readings.len()).all(|measure| self.count(measure, 0) == 0 && self.held_from(measure, 0) == 0)
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
        self.totals.get(usize::from(back) * self.readings.len() + measure)
    }

    fn facts_of(&self, measure: usize, back: u8) -> &[Fact] {
        self.total(measure, back).and_then(|total| self.facts.get(total.facts.clone())).unwrap_or_default()
    }

    /// The number of facts of a measure in a half-year.
    pub(super) fn count(&self, measure: usize, back: u8) -> u64 {
        self.total(measure, back).map_or(0, |total| total.sums.count)
    }

    /// A measure's value that was reported in a half-year, in ten-thousandths.
    fn value(&self, measure: usize, back: u8) -> Option<i64> {
        let reading = self.readings.get(measure)?;
        let sums = self.total(measure, back).map(|total| total.sums).filter(|sums| sums.count > 0)?;
        Some(if reading.is_stock { sums.latest } else { sums.sum })
    }

    /// The half-year whose value of a measure holds in a half-year: itself, or for a stock the last one before it with a
    /// value, while that is valid. Counted back from the one that is scored.
    fn held_from(&self, measure: usize, back: u8) -> u8 {
        let reading = self.readings.get(measure).filter(|reading| reading.is_stock);
        let Some(reading) = reading.filter(|_| self.method.carries_stocks() && self.count(measure, back) == 0) else {
            return back;
        };
        let reach = u8::try_from(reading.reach()).unwrap_or(u8::MAX);
        let mut earlier = back.saturating_add(1)..=back.saturating_add(reach);
        // The nearest one decides: if its value is over, those before it are over as well.
        let Some(found) = earlier.find(|earlier| self.count(measure, *earlier) > 0) else { return back };
        let at = self.period.plus(-i32::from(back));
        let valid = match reading.validity(self.period.plus(-i32::from(found)), at) {
            Validity::All => true,
            Validity::None => false,
            Validity::ByDay => {
                let end = at.last_month().last_day();
                self.latest_on(measure, found).is_some_and(|day| reading.is_valid(day, end))
            }
        };
        if valid { found } else { back }
    }

    /// The sum of some measures, of values that hold in a half-year or, if `own`, were reported in it. Measures without facts
    /// count as zero; `None` where none has facts.
    pub(super) fn sum(&self, measures: &[usize], back: u8, own: bool) -> Option<Fraction> {
        let value = |measure: &usize| self.value(*measure, if own { back } else { self.held_from(*measure, back) });
        let mut values = measures.iter().filter_map(value).peekable();
        // Without any fact there is no sum, which differs from a sum of zero.
        values.peek()?;
        // Values of 64 bits: 128 bits hold the sum of any number of measures.
        let sum = values.fold(0i128, |sum, value| sum + i128::from(value));
        Fraction::new(sum, Decimal::ONE.into())
    }

    /// Whether no fact of any of some measures means that their sum is zero.
    pub(super) fn absent_is_zero(&self, measures: &[usize]) -> bool {
        measures.iter().all(|measure| self.readings.get(*measure).is_some_and(|reading| reading.absent_is_zero))
    }

    /// The records behind a measure's value that holds in a half-year or, if `own`, was reported in it.
    pub(super) fn evidence(&self, catalogue_id: &str, measure: usize, back: u8, own: bool) -> Evidence {
        let back = if own { back } else { self.held_from(measure, back) };
        let facts = self.facts_of(measure, back);
        Evidence {
            measure: catalogue_id.to_owned(),
            period: self.period.plus(-i32::from(back)),
            value: self.value(measure, back).map(|value| Decimal(value).to_string()),
            facts: usize::try_from(self.count(measure, back)).unwrap_or(usize::MAX),
            // Facts of a measure are in the order of days, so the latest are taken from the end.
            references: facts.iter().rev().take(REFERENCES_LISTED).map(|fact| fact.reference.clone()).collect(),
            other_sources: self
                .total(measure, back)
                .map(|total| self.sources_of_latest(measure, total).into_iter().skip(1).collect())
                .unwrap_or_default(),
        }
    }
}

fn too_large(catalogue: &Catalogue, measure: usize, period: HalfYear) -> TooLarge {
    let id = catalogue.measures().get(measure).map(|measure| measure.id.clone());
    TooLarge { measure: id.unwrap_or_default(), period }
}

/// Half-years from one to a later one; negative when it is not later.
fn halves_between(from: HalfYear, to: HalfYear) -> i32 {
    // First months of half-years differ by multiples of six, so nothing is rounded.
    to.first_month().months_since(from.first_month()).div_euclid(6)
}
