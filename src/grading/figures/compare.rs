//! Comparison of two runs over the same subjects: of two models, or of one model before and after a change.

use serde::Serialize;

use super::{
    movement::{Movement, MovementTable},
    outcomes::{RunHead, ordinal, summary},
};
use crate::{
    domain::money::MilliPoints,
    grading::{AssessmentSummary, GradingError, Rounds, percent::percent},
};

/// A subject with different grades in two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubjectDifference {
    pub subject_code: String,
    /// The result in the first run; none where it does not cover the subject.
    pub first: Option<AssessmentSummary>,
    /// The result in the second run.
    pub second: Option<AssessmentSummary>,
    /// The number of places that the subject is higher in the second run; negative where lower.
    pub places: Option<i64>,
    /// The points that the second run gives more; negative where fewer.
    pub points: Option<MilliPoints>,
}

/// The comparison of two runs.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    pub first: RunHead,
    pub second: RunHead,
    /// The number of subjects that either run covers.
    pub subjects: u64,
    /// The number of subjects in the same place of both schemes, or not rated in both.
    pub agree: u64,
    /// Their share, as a percentage.
    pub agree_percent: String,
    /// The agreement matrix, with the grades of the first run in rows.
    pub matrix: MovementTable,
    /// The subjects with different grades, the greatest differences first.
    pub differing: Vec<SubjectDifference>,
}

impl Rounds {
    /// Compares two runs of one kind.
    pub async fn compare(&self, first: &str, second: &str) -> Result<Comparison, GradingError> {
        let (one, other) = (self.outcomes(first).await?, self.outcomes(second).await?);
        if one.row.kind != other.row.kind {
            return Err(GradingError::DifferentKinds { first: one.row.kind, second: other.row.kind });
        }
        // A sorted union, so that equal differences stay in the order of codes.
        let codes: std::collections::BTreeSet<&String> = one.subjects.keys().chain(other.subjects.keys()).collect();
        let subjects = u64::try_from(codes.len()).unwrap_or(u64::MAX);
        let mut differing = Vec::new();
        for code in codes {
            let (first, second) = (one.subjects.get(code), other.subjects.get(code));
            let place = |of: &super::outcomes::Outcomes, row| ordinal(&of.model.scheme, row);
            let places = (first.and_then(|row| place(&one, row)), second.and_then(|row| place(&other, row)));
            // Places and not codes: two schemes may have other words for the same place.
            if places.0 == places.1 && first.is_some() == second.is_some() {
                continue;
            }
            let points = (first.and_then(|row| row.points), second.and_then(|row| row.points));
            differing.push(SubjectDifference {
                subject_code: code.clone(),
                first: first.map(summary),
                second: second.map(summary),
                places: places.0.zip(places.1).map(|(first, second)| first - second),
                points: points.0.zip(points.1).map(|(first, second)| MilliPoints(second - first)),
            });
        }
        // A stable sort: equal differences stay in the order of codes. Subjects without a grade in one run come last.
        differing.sort_by_key(|of| {
            let greatest_first = |number: Option<i64>| std::cmp::Reverse(number.map(i64::abs));
            (greatest_first(of.places), greatest_first(of.points.map(|points| points.0)))
        });
        // Bounded, so that a mistake in the counts cannot wrap around.
        let agree = subjects - u64::try_from(differing.len()).unwrap_or(u64::MAX).min(subjects);
        Ok(Comparison {
            first: one.head(),
            second: other.head(),
            subjects,
            agree,
            agree_percent: percent(agree, subjects),
            matrix: Movement::between(&one, &other).internal_table(),
            differing,
        })
    }
}
