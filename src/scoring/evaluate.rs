//! A model applied to what is known of a subject: points, grade, and how each point came about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    measures::{Evidence, Lack, Measures},
    model::{Indicator, Level1, Model, ModelFile},
    number::{Decimal, Fraction, Points},
    rule::earn,
};
use crate::domain::money::MilliPoints;

/// What one indicator came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The indicator's number.
    pub no: u16,
    /// What was measured, exactly: `3/400`. Absent where data was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// The same with four decimals, the rest cut off: what people read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shown: Option<String>,
    /// What the data lacked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missing: Option<Lack>,
    /// The part of the rule that fired, in words.
    pub rule: String,
    /// What it earned.
    pub points: MilliPoints,
    /// The records behind it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub records: Vec<Evidence>,
}

/// What a subject's credit came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The total.
    pub points: MilliPoints,
    /// The code of the grade that the total earns.
    pub grade: String,
    /// Every indicator, in the model's order.
    pub findings: Vec<Finding>,
}

/// Applies a model. The same facts give the same assessment, whatever order they came in: integers only, and every
/// indicator's points are cut to whole thousandths once, downwards; the total adds them up and is not rounded again.
pub fn evaluate(model: &Model, measures: &Measures) -> Assessment {
    let findings: Vec<Finding> = model
        .indicators()
        .zip(model.rules())
        .map(|(placed, rule)| {
            let value = rule.measure(measures);
            let earned = earn(placed.indicator, value);
            Finding {
                no: placed.indicator.no,
                value: value.ok().map(|value| value.to_string()),
                shown: value.ok().map(Fraction::to_decimal_text),
                missing: value.err(),
                rule: earned.fired,
                points: earned.points.milli(),
                records: rule.evidence(measures),
            }
        })
        .collect();
    let total = findings.iter().fold(0i64, |sum, finding| sum.saturating_add(finding.points.0));
    let grade = model.scheme().grade_of(Points(total)).map(|grade| grade.code.clone()).unwrap_or_default();
    Assessment { points: MilliPoints(total), grade, findings }
}

/// What an assessment came to on the first level, in the model's order: all of it that is ever told to a bank.
pub fn first_levels(model: &ModelFile, assessment: &Assessment) -> Vec<MilliPoints> {
    let points: BTreeMap<u16, MilliPoints> =
        assessment.findings.iter().map(|finding| (finding.no, finding.points)).collect();
    let of_level = |level: &Level1| {
        let indicators = level.level2.iter().flat_map(|level| &level.indicator);
        let earned = indicators.filter_map(|indicator| points.get(&indicator.no));
        MilliPoints(earned.fold(0, |sum, earned| sum.saturating_add(earned.0)))
    };
    model.level1.iter().map(of_level).collect()
}

/// Points and grade alone: the same reckoning without its explanation.
pub fn total(model: &Model, measures: &Measures) -> MilliPoints {
    let points = model.indicators().zip(model.rules());
    MilliPoints(
        points
            .map(|(placed, rule)| earn(placed.indicator, rule.measure(measures)).points.0)
            .fold(0, i64::saturating_add),
    )
}

/// What one indicator would earn for a value, whatever its own rule measures.
pub fn points_of_value(indicator: &Indicator, value: Decimal) -> MilliPoints {
    earn(indicator, Ok(Fraction::of(value))).points.milli()
}
