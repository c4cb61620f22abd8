//! Two runs over the same subjects beside each other: two models, or one model before and after a change.

use serde::Serialize;

use super::{
    movement::{Movement, MovementTold},
    outcomes::{RunHead, ordinal, says},
    percent,
};
use crate::{
    domain::money::MilliPoints,
    grading::{GradingError, Rounds, Says},
};

/// A subject of which two runs say different things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// The subject.
    pub subject_code: String,
    /// What the first run says; nothing where it does not cover the subject.
    pub first: Option<Says>,
    /// What the second says.
    pub second: Option<Says>,
    /// How many places the second puts it higher; negative where lower.
    pub places: Option<i64>,
    /// How many points the second gives more; negative where fewer.
    pub points: Option<MilliPoints>,
}

/// Two runs beside each other.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The first.
    pub first: RunHead,
    /// The second.
    pub second: RunHead,
    /// How many subjects either covers.
    pub subjects: u64,
    /// How many are in the same place of both schemes, or not rated in both.
    pub agree: u64,
    /// Their share, as a percentage.
    pub agree_percent: String,
    /// Who stands where: the agreement matrix, the first run's grades in rows.
    pub matrix: MovementTold,
    /// Everybody of whom the grades differ, the greatest differences first.
    pub differing: Vec<Differs>,
}

impl Rounds {
    /// Puts two runs of one kind beside each other.
    pub async fn compare(&self, first: &str, second: &str) -> Result<Comparison, GradingError> {
        let (one, other) = (self.outcomes(first).await?, self.outcomes(second).await?);
        if one.row.kind != other.row.kind {
            return Err(GradingError::DifferentKinds { first: one.row.kind, second: other.row.kind });
        }
        let codes: std::collections::BTreeSet<&String> = one.subjects.keys().chain(other.subjects.keys()).collect();
        let subjects = u64::try_from(codes.len()).unwrap_or(u64::MAX);
        let mut differing = Vec::new();
        for code in codes {
            let (first, second) = (one.subjects.get(code), other.subjects.get(code));
            let place = |of: &super::outcomes::Outcomes, row| ordinal(&of.model.scheme, row);
            let places = (first.and_then(|row| place(&one, row)), second.and_then(|row| place(&other, row)));
            if places.0 == places.1 && first.is_some() == second.is_some() {
                continue;
            }
            let points = (first.and_then(|row| row.points), second.and_then(|row| row.points));
            differing.push(Differs {
                subject_code: code.clone(),
                first: first.map(says),
                second: second.map(says),
                places: places.0.zip(places.1).map(|(first, second)| first - second),
                points: points.0.zip(points.1).map(|(first, second)| MilliPoints(second - first)),
            });
        }
        // Stable: of equal differences the order of codes stays. Who has no place in one of them comes last.
        differing.sort_by_key(|of| {
            let greatest_first = |number: Option<i64>| std::cmp::Reverse(number.map(i64::abs));
            (greatest_first(of.places), greatest_first(of.points.map(|points| points.0)))
        });
        let agree = subjects - u64::try_from(differing.len()).unwrap_or(u64::MAX).min(subjects);
        Ok(Comparison {
            first: one.head(),
            second: other.head(),
            subjects,
            agree,
            agree_percent: percent(agree, subjects),
            matrix: Movement::between(&one, &other).everything(),
            differing,
        })
    }
}
