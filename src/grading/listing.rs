//! The results of a run by name, for the bureau: every subject with its change since the round before, and the subjects
//! behind each measure and each cell of the movement.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    AssessmentSummary, Column, GradingError, MeasureCount, ReportNames, Rounds, RunHead,
    figures::{Outcomes, ordinal, summary},
    period::period_of,
    transition::parse_state,
};
use crate::{domain::money::MilliPoints, scoring::Scheme, store::rounds::RegionalResultRow};

/// The change of a subject since the round before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Its grade rose by this many places.
    Up(i64),
    /// Its grade fell by this many places.
    Down(i64),
    /// Its grade, or not being rated, stayed.
    Same,
    /// The round before does not cover it.
    New,
    /// It was not rated before.
    NowGraded,
    /// It is no longer rated.
    NoLongerGraded,
}

/// A subject's result, with its names.
#[derive(Debug, Clone, Serialize)]
pub struct ListedResult {
    pub code: String,
    /// Empty for natural persons, and for subjects that no longer exist.
    pub name: String,
    /// The name of the region.
    pub region: String,
    /// Such as 三级.
    pub level: String,
    pub result: AssessmentSummary,
    /// The version in force; none in a run that was never published.
    pub version: Option<i64>,
    /// The version before, where the result was corrected.
    pub corrected_from: Option<AssessmentSummary>,
    /// The result in the round before.
    pub before: Option<AssessmentSummary>,
    /// The change since; none where there is no round before.
    pub change: Option<Change>,
    /// The change in points since; none where either result has none.
    pub points_change: Option<MilliPoints>,
}

/// A measure, and the subjects that it applies to.
#[derive(Debug, Clone, Serialize)]
pub struct ListedMeasure {
    pub measure: MeasureCount,
    /// The codes.
    pub subjects: Vec<String>,
}

/// A subject in a cell of the movement.
#[derive(Debug, Clone, Serialize)]
pub struct ListedMove {
    pub code: String,
    /// See [`ListedResult::name`].
    pub name: String,
    /// The row of the cell.
    pub before: Column,
    /// The column of the cell.
    pub now: Column,
}

/// The results of a run by name.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    pub run: RunHead,
    /// The round that it is compared with.
    pub before: Option<RunHead>,
    /// By code.
    pub results: Vec<ListedResult>,
    /// In the order of the model.
    pub measures: Vec<ListedMeasure>,
    /// By row, column and code; empty where there is no round before.
    pub movement: Vec<ListedMove>,
    /// The grades.
    #[serde(skip)]
    pub scheme: Scheme,
}

/// The change between two results, by the places of their grades.
fn change(before: Option<&Outcomes>, now: &Outcomes, row: &RegionalResultRow) -> Option<Change> {
    let before = before?;
    let Some(former) = before.subjects.get(&row.subject_code) else { return Some(Change::New) };
    Some(match (ordinal(&before.model.scheme, former), ordinal(&now.model.scheme, row)) {
        // 1 is the best place.
        (Some(was), Some(is)) if is < was => Change::Up(was - is),
        (Some(was), Some(is)) if is > was => Change::Down(is - was),
        (None, Some(_)) => Change::NowGraded,
        (Some(_), None) => Change::NoLongerGraded,
        _ => Change::Same,
    })
}

fn name_of(code: &str, outcomes: &[Option<&Outcomes>]) -> String {
    let rows = outcomes.iter().flatten().filter_map(|of| of.subjects.get(code));
    rows.filter_map(|row| row.name.clone()).find(|name| !name.is_empty()).unwrap_or_default()
}

/// The subjects of every cell of the movement.
fn movement(before: &Outcomes, now: &Outcomes) -> Vec<ListedMove> {
    let absent = Column { code: "absent".into(), name_zh: "未列入".into() };
    let (rows, columns) = (before.columns(), now.columns());
    let mut cells: BTreeMap<(usize, usize), Vec<&String>> = BTreeMap::new();
    let codes: BTreeSet<&String> = before.subjects.keys().chain(now.subjects.keys()).collect();
    for code in codes {
        let place = |of: &Outcomes, last: usize| of.subjects.get(code).map_or(last, |row| of.column(row));
        cells.entry((place(before, rows.len()), place(now, columns.len()))).or_default().push(code);
    }
    let listed = cells.into_iter().flat_map(|((row, column), codes)| {
        let (from, to) = (rows.get(row).unwrap_or(&absent), columns.get(column).unwrap_or(&absent));
        let (from, to) = (from.clone(), to.clone());
        codes.into_iter().map(move |code| ListedMove {
            code: code.clone(),
            name: name_of(code, &[Some(now), Some(before)]),
            before: from.clone(),
            now: to.clone(),
        })
    });
    listed.collect()
}

impl Rounds {
    /// The results of a run by name. Of a round, the versions in force.
    pub async fn listing(&self, run_id: &str, names: ReportNames<'_>) -> Result<Listing, GradingError> {
        let now = self.outcomes(run_id).await?;
        let before = self.outcomes_before(&now.row).await?;
        let before = before.as_ref();
        let published = parse_state(&now.row.state)?.was_published();
        let corrected = if published { self.corrected(run_id).await? } else { Vec::new() };
        let mut corrected: BTreeMap<String, AssessmentSummary> =
            corrected.into_iter().map(|one| (one.subject_code, one.before)).collect();
        let ends = period_of(&now.row)?.last_month().last_day();
        let region = |code: &str| {
            let line = code.parse().ok().and_then(|code| names.regions.find(code, ends));
            line.map_or_else(|| code.to_owned(), |line| line.name.clone())
        };
        let results = now.subjects.values().map(|row| {
            let former = before.and_then(|before| before.subjects.get(&row.subject_code));
            let points = row.points.zip(former.and_then(|former| former.points));
            ListedResult {
                code: row.subject_code.clone(),
                name: row.name.clone().unwrap_or_default(),
                region: row.region.as_deref().map(region).unwrap_or_default(),
                level: row.level.clone().unwrap_or_default(),
                result: summary(row),
                version: row.version,
                corrected_from: corrected.remove(&row.subject_code),
                before: former.map(summary),
                change: change(before, &now, row),
                points_change: points.map(|(is, was)| MilliPoints(is - was)),
            }
        });
        let results = results.collect();
        let measures = self.measures_with_subjects(&now, before).await?;
        Ok(Listing {
            run: now.head(),
            before: before.map(Outcomes::head),
            results,
            measures: measures.into_iter().map(|(measure, subjects)| ListedMeasure { measure, subjects }).collect(),
            movement: before.map(|before| movement(before, &now)).unwrap_or_default(),
            scheme: now.model.scheme,
        })
    }
}
