//! A model applied to what is known of a subject: points, grade, and how each point came about.

use serde::{Deserialize, Serialize};

use super::{
    measures::{Evidence, Lack, Measures},
    model::{Indicator, Level1, Model, ModelFile},
    number::{Decimal, Fraction},
    rule::{earn, fired},
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
            Finding {
                no: placed.indicator.no,
                value: value.ok().map(|value| value.to_string()),
                shown: value.ok().map(Fraction::to_decimal_text),
                missing: value.err(),
                rule: fired(placed.indicator, value),
                points: earn(placed.indicator, value).milli(),
                records: rule.evidence(measures),
            }
        })
        .collect();
    let total = MilliPoints(findings.iter().fold(0i64, |sum, finding| sum.saturating_add(finding.points.0)));
    Assessment { points: total, grade: model.grade_of(total), findings }
}

/// What points by indicator, in the model's order, come to on the first level: all of it that is ever told to a bank.
pub fn first_levels(model: &ModelFile, points: &[MilliPoints]) -> Vec<MilliPoints> {
    let mut points = points.iter();
    let of_level = |level: &Level1| {
        let indicators = level.level2.iter().map(|level| level.indicator.len()).sum();
        MilliPoints(points.by_ref().take(indicators).fold(0, |sum, earned| sum.saturating_add(earned.0)))
    };
    model.level1.iter().map(of_level).collect()
}

/// What each indicator earns, in the model's order: the same reckoning without its explanation.
pub fn points_by_indicator(model: &Model, measures: &Measures) -> Vec<MilliPoints> {
    let indicators = model.indicators().zip(model.rules());
    indicators.map(|(placed, rule)| earn(placed.indicator, rule.measure(measures)).milli()).collect()
}

/// The total alone.
pub fn total(model: &Model, measures: &Measures) -> MilliPoints {
    let points = points_by_indicator(model, measures);
    MilliPoints(points.iter().fold(0, |sum, points| sum.saturating_add(points.0)))
}

/// What one indicator would earn for a value, whatever its own rule measures.
pub fn points_of_value(indicator: &Indicator, value: Decimal) -> MilliPoints {
    earn(indicator, Ok(Fraction::of(value))).milli()
}
