//! Indicator statistics: whether each indicator of a model distinguishes subjects, how often its data is missing, and how it
//! correlates with the total. They are the basis for correcting a model before it is used (模型校正).

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    outcomes::RunHead,
    statistics::{Spread, correlation, spread},
};
use crate::{
    domain::{money::MilliPoints, words::words},
    grading::{
        GradingError, Rounds, RunState, documents::read_model, fact_page::FactPage, percent::percent,
        results::stored_standings, scope::Scope, status::GRADED, transition::parse_state,
    },
    scoring::{Indicator, Measures, evaluate},
    store::runs::{ResultRow, RunRow},
};

/// The number of subjects that are read at a time.
const PAGE: usize = 2_000;

/// An indicator whose data is missing for more subjects than this percentage is flagged.
const MISSING_PERCENT: u64 = 20;
/// More than this percentage of subjects with the full weight: the indicator is at its ceiling.
const CAP_PERCENT: u64 = 90;
/// More than this percentage of subjects with zero: the indicator is at its floor.
const ZERO_PERCENT: u64 = 90;
/// A standard deviation below this percentage of the weight: the indicator does not distinguish subjects.
const SPREAD_PERCENT: i64 = 2;
/// A correlation with the total below this, in thousandths: the indicator is unrelated to the others.
const UNRELATED: i64 = 50;
/// A correlation below this, in thousandths: the indicator works against the others.
const AGAINST: i64 = -100;

words! {
    /// A conspicuous property of an indicator.
    BiasFlag: "flag of an indicator" {
        /// Data is missing for more than a fifth of the subjects.
        OftenMissing = "often_missing",
        /// More than nine tenths have the full weight.
        AtCap = "at_cap",
        /// More than nine tenths have zero.
        AtZero = "at_zero",
        /// The standard deviation is below a fiftieth of the weight.
        NoSpread = "no_spread",
        /// The correlation with the total is below 0.05.
        Unrelated = "unrelated",
        /// The correlation with the total is below -0.1.
        Against = "against",
    }
}

/// The distribution of an indicator's points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndicatorBias {
    pub no: u16,
    pub name_zh: String,
    /// The greatest possible points.
    pub weight: MilliPoints,
    /// The least points of any subject.
    pub least: MilliPoints,
    /// A quarter of the subjects has this or less.
    pub lower_quartile: MilliPoints,
    /// Half of the subjects have this or less.
    pub median: MilliPoints,
    /// Three quarters of the subjects have this or less.
    pub upper_quartile: MilliPoints,
    /// The greatest points of any subject.
    pub most: MilliPoints,
    pub mean: MilliPoints,
    /// The standard deviation.
    pub deviation: MilliPoints,
    /// The number of subjects without data.
    pub missing: u64,
    /// Their share as a percentage.
    pub missing_percent: String,
    /// The number of subjects with the full weight.
    pub at_cap: u64,
    /// Their share as a percentage.
    pub at_cap_percent: String,
    /// The number of subjects with zero.
    pub at_zero: u64,
    /// Their share as a percentage.
    pub at_zero_percent: String,
    /// The correlation with the total, in thousandths; none where either does not vary.
    pub correlation_milli: Option<i64>,
    /// Conspicuous properties.
    pub flags: Vec<BiasFlag>,
}

/// Statistics of every indicator of a run's model.
#[derive(Debug, Clone, Serialize)]
pub struct BiasReport {
    pub run: RunHead,
    /// The number of graded subjects.
    pub graded: u64,
    /// Every indicator, in the model's order.
    pub indicators: Vec<IndicatorBias>,
}

/// The points of the graded subjects of a run, by indicator.
#[derive(Default)]
struct IndicatorPoints {
    /// By indicator, then by subject.
    points: Vec<Vec<i64>>,
    totals: Vec<i64>,
    missing: Vec<u64>,
}

impl IndicatorPoints {
    fn add(&mut self, points: &[MilliPoints], missing: Option<&[bool]>) {
        // The first subject decides the number of indicators; all have the same model.
        self.points.resize(points.len().max(self.points.len()), Vec::new());
        self.missing.resize(self.points.len(), 0);
        for (column, points) in self.points.iter_mut().zip(points) {
            column.push(points.0);
        }
        self.totals.push(points.iter().map(|points| points.0).sum());
        // Without an entry nothing is missing.
        for (count, missing) in self.missing.iter_mut().zip(missing.unwrap_or_default()) {
            *count += u64::from(*missing);
        }
    }
}

impl Rounds {
    /// Statistics of every indicator of a run's model over the subjects that the run graded.
    pub async fn bias(&self, run_id: &str) -> Result<BiasReport, GradingError> {
        let run = self.find(run_id).await?;
        if parse_state(&run.state)? == RunState::Discarded {
            return Err(GradingError::NoResults(run.id));
        }
        let outcomes = self.outcomes(run_id).await?;
        let results = self.stored_results(&run.id).await?;
        if results.values().any(|row| row.status == GRADED && row.points.is_none()) {
            return Err(GradingError::NoPoints(run.id));
        }
        // Only graded subjects are read again: the others have no points to explain.
        let missing: BTreeMap<String, Vec<bool>> = self.missing_data(&run, &results).await?;
        let mut all = IndicatorPoints::default();
        for (code, row) in results.iter().filter(|(_, row)| row.status == GRADED) {
            let points: Vec<MilliPoints> =
                serde_json::from_str(&row.findings).map_err(|_| GradingError::Altered(run.id.clone()))?;
            all.add(&points, missing.get(code).map(Vec::as_slice));
        }
        let graded = u64::try_from(all.totals.len()).unwrap_or(u64::MAX);
        let levels = outcomes.model.level1.iter().flat_map(|level| &level.level2);
        let indicators = levels.flat_map(|level| &level.indicator).enumerate().map(|(at, indicator)| {
            let points = all.points.get(at).map(Vec::as_slice).unwrap_or_default();
            let missing = all.missing.get(at).copied().unwrap_or(0);
            of_indicator(indicator, points, missing, &all.totals)
        });
        Ok(BiasReport { run: outcomes.head(), graded, indicators: indicators.collect() })
    }
}

impl Rounds {
    /// The indicators without data, by subject. They are recomputed, because results store points only.
    async fn missing_data(
        &self,
        run: &RunRow,
        results: &BTreeMap<String, ResultRow>,
    ) -> Result<BTreeMap<String, Vec<bool>>, GradingError> {
        let (model, catalogue) = read_model(&self.env.db, run).await?;
        let scope = Scope::of_run(&self.env.db, run, &model, catalogue, None).await?;
        let graded = results.iter().filter(|(_, row)| row.status == GRADED);
        let graded: BTreeMap<String, ResultRow> = graded.map(|(code, row)| (code.clone(), row.clone())).collect();
        let standings = stored_standings(&graded)?;
        let mut missing = BTreeMap::new();
        for some in standings.chunks(PAGE) {
            let codes: Vec<String> = some.iter().map(|standing| standing.code.clone()).collect();
            let mut page = FactPage::read(&scope, &self.env.db, &codes).await?;
            for standing in some {
                let sums = page.sums(&scope, &standing.code)?;
                let measures = Measures::of_sums(
                    &scope.catalogue,
                    scope.period,
                    scope.lookback,
                    standing.agreement_signed_on,
                    sums,
                );
                let measures =
                    measures.map_err(|source| GradingError::data(&standing.code, source))?.with_method(scope.method);
                let measures = standing.complete(&model, measures);
                let findings = evaluate(&model, &measures).findings;
                missing.insert(
                    standing.code.clone(),
                    findings.into_iter().map(|finding| finding.missing.is_some()).collect(),
                );
            }
        }
        Ok(missing)
    }
}

fn of_indicator(indicator: &Indicator, points: &[i64], missing: u64, totals: &[i64]) -> IndicatorBias {
    let weight = indicator.weight.milli();
    let Spread { least, lower_quartile, median, upper_quartile, most, mean, deviation } = spread(points);
    // A count of a list in memory always fits.
    let many = |is: &dyn Fn(i64) -> bool| u64::try_from(points.iter().filter(|of| is(**of)).count()).unwrap_or(0);
    let (at_cap, at_zero) = (many(&|points| points == weight.0), many(&|points| points == 0));
    let all = u64::try_from(points.len()).unwrap_or(u64::MAX);
    let correlation = correlation(points, totals);
    // Products instead of a division, so that a share just above the limit is not rounded onto it.
    let above = |count: u64, share: u64| all > 0 && u128::from(count) * 100 > u128::from(all) * u128::from(share);
    let found = [
        (BiasFlag::OftenMissing, above(missing, MISSING_PERCENT)),
        (BiasFlag::AtCap, above(at_cap, CAP_PERCENT)),
        (BiasFlag::AtZero, above(at_zero, ZERO_PERCENT)),
        (BiasFlag::NoSpread, all > 0 && deviation.saturating_mul(100) < weight.0.saturating_mul(SPREAD_PERCENT)),
        (BiasFlag::Unrelated, correlation.is_some_and(|of| (AGAINST..UNRELATED).contains(&of))),
        (BiasFlag::Against, correlation.is_some_and(|of| of < AGAINST)),
    ];
    IndicatorBias {
        no: indicator.no,
        name_zh: indicator.name_zh.clone(),
        weight,
        least: MilliPoints(least),
        lower_quartile: MilliPoints(lower_quartile),
        median: MilliPoints(median),
        upper_quartile: MilliPoints(upper_quartile),
        most: MilliPoints(most),
        mean: MilliPoints(mean),
        deviation: MilliPoints(deviation),
        missing,
        missing_percent: percent(missing, all),
        at_cap,
        at_cap_percent: percent(at_cap, all),
        at_zero,
        at_zero_percent: percent(at_zero, all),
        correlation_milli: correlation,
        flags: found.into_iter().filter_map(|(flag, applies)| applies.then_some(flag)).collect(),
    }
}
