//! A model applied to the measures of a subject, before anything is described in words.

use super::{
    decide::{SignalValue, signal_value},
    evidence::MissingReason,
    measures::Measures,
    model::Model,
    number::Fraction,
    resolved::ResolvedValue,
    score::earn,
};
use crate::domain::money::MilliPoints;

/// The values, points and grade of a subject.
pub(super) struct Computed {
    /// The value of each indicator, in the model's order.
    pub(super) values: Vec<Result<Fraction, MissingReason>>,
    /// The value of each signal, in the model's order.
    pub(super) signals: Vec<Result<Fraction, MissingReason>>,
    /// The same as conditions see it, with the policy for missing data applied.
    pub(super) signal_values: Vec<SignalValue>,
    /// The points of each indicator.
    pub(super) earned: Vec<MilliPoints>,
    /// The total before caps and vetoes.
    pub(super) sum: MilliPoints,
    /// The total; none under a model that grades by rules.
    pub(super) points: Option<MilliPoints>,
    /// The place of the subject's own grade, before its branches count.
    pub(super) own: usize,
    /// The place of the grade.
    pub(super) grade: usize,
}

impl Computed {
    /// Applies a model in integer arithmetic. The points of each indicator are rounded down to whole thousandths once; the
    /// total is their sum, limited by the lowest cap or veto.
    pub(super) fn of(model: &Model, measures: &Measures) -> Self {
        let read =
            |values: &[ResolvedValue]| -> Vec<_> { values.iter().map(|value| value.measure(measures)).collect() };
        let (values, signals) = (read(model.indicator_values()), read(model.signal_values()));
        let signal_values: Vec<SignalValue> =
            model.file().signal.iter().zip(&signals).map(|(signal, value)| signal_value(signal, *value)).collect();
        let earned: Vec<MilliPoints> =
            model.indicators().zip(&values).map(|(placed, value)| earn(placed.indicator, *value).milli()).collect();
        // Each is at most its weight, and the check makes weights add up to the total.
        let sum = MilliPoints(earned.iter().fold(0i64, |sum, points| sum.saturating_add(points.0)));
        let scheme = model.scheme();
        let (points, own) = if model.by_points() {
            // The lowest limit wins, in whatever order limits are listed.
            let total = model.decisions().limits(&signal_values).fold(sum.0, |total, (_, most)| total.min(most.0));
            let place = scheme.grade.iter().position(|grade| grade.from.is_none_or(|from| total >= from.0));
            (Some(MilliPoints(total)), place)
        } else {
            (None, model.decisions().rule(&signal_values).map(|(_, grade)| grade))
        };
        // Infallible: the check refuses models in which a total or a case has no grade.
        let own = own.unwrap_or(scheme.grade.len().saturating_sub(1));
        let chained = model.decisions().chain(model.file(), own, measures.branches(), &signal_values);
        let grade = chained.map_or(own, |chained| chained.grade);
        Self { values, signals, signal_values, earned, sum, points, own, grade }
    }

    /// The code of the grade.
    pub(super) fn code(&self, model: &Model) -> String {
        code_at(model, self.grade)
    }
}

/// The code of the grade at a place of the scheme.
pub(super) fn code_at(model: &Model, place: usize) -> String {
    model.scheme().grade.get(place).map(|grade| grade.code.clone()).unwrap_or_default()
}
