//! The bureau's own scores: indicators whose points calibration can set.

use crate::scoring::{Catalogue, Decimal, Indicator, ScoreForm, ValueForm, points_of_value};

/// An indicator that uses one score directly: a measure with a greatest value.
pub(super) struct Knob<'a> {
    pub(super) indicator: &'a Indicator,
    pub(super) measure: &'a str,
    /// The greatest score.
    pub(super) most: i64,
    /// The score as a share of the greatest, in thousandths.
    pub(super) share: i64,
}

impl Knob<'_> {
    /// The score.
    pub(super) const fn score(&self) -> Decimal {
        Decimal(self.most / 1000 * self.share)
    }

    /// The points that the score gives.
    pub(super) fn points(&self) -> i64 {
        points_of_value(self.indicator, self.score()).0
    }
}

/// The measure whose score an indicator uses directly, if it does.
pub(super) fn score_measure<'m>(indicator: &'m Indicator, catalogue: &Catalogue) -> Option<&'m str> {
    let ValueForm::Measure(id) = &indicator.value else { return None };
    let uses_score = matches!(indicator.score, ScoreForm::PassThrough { .. } | ScoreForm::Linear { .. });
    let most = catalogue.measure(id)?.most?.0;
    (uses_score && most >= 1000).then_some(id)
}
