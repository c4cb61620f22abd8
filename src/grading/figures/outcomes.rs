//! The results of a run, subject by subject, from which figures are computed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    domain::money::MilliPoints,
    grading::{
        AssessmentSummary, GradingError, Rounds, RunState, documents::read_model_file, status::GRADED,
        transition::parse_state,
    },
    scoring::{ModelFile, Scheme},
    store::{
        rounds::{self, RegionalResultRow},
        runs::{self, RunRow},
    },
};

/// The number of results that are read at a time.
const PAGE: i64 = 2000;

/// The identity of a run, its model and its scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunHead {
    pub run: String,
    pub state: String,
    /// The kind of subject.
    pub kind: String,
    pub period: String,
    pub model: String,
    pub model_version: i64,
    pub scheme: String,
}

/// A possible result of a subject: a grade, or not rated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// The code of the grade; `not_rated`; or `absent` for subjects that are in another run only.
    pub code: String,
    /// The Chinese word.
    pub name_zh: String,
}

/// All results of a run.
#[derive(Debug)]
pub(in crate::grading) struct Outcomes {
    pub(in crate::grading) row: RunRow,
    pub(in crate::grading) model: ModelFile,
    pub(in crate::grading) subjects: BTreeMap<String, RegionalResultRow>,
}

impl Outcomes {
    pub(in crate::grading) fn head(&self) -> RunHead {
        RunHead {
            run: self.row.id.clone(),
            state: self.row.state.clone(),
            kind: self.row.kind.clone(),
            period: self.row.period.clone(),
            model: self.row.model_id.clone(),
            model_version: self.model.version,
            scheme: self.row.scheme.clone(),
        }
    }

    /// The grades of the scheme, best first, and not rated.
    pub(in crate::grading) fn columns(&self) -> Vec<Column> {
        let grades = self.model.scheme.grade.iter();
        let mut columns: Vec<Column> =
            grades.map(|grade| Column { code: grade.code.clone(), name_zh: grade.name_zh.clone() }).collect();
        columns.push(Column { code: "not_rated".into(), name_zh: "不参评".into() });
        columns
    }

    /// The position of a result in [`Outcomes::columns`].
    pub(in crate::grading) fn column(&self, row: &RegionalResultRow) -> usize {
        let grades = &self.model.scheme.grade;
        let grade = row.grade.as_deref().filter(|_| row.status == GRADED);
        grade.and_then(|code| grades.iter().position(|grade| grade.code == code)).unwrap_or(grades.len())
    }

    /// The number of results in each of [`Outcomes::columns`].
    pub(in crate::grading) fn counts<'a>(&self, of: impl Iterator<Item = &'a RegionalResultRow>) -> Vec<u64> {
        let mut counts = vec![0; self.model.scheme.grade.len() + 1];
        for row in of {
            if let Some(count) = counts.get_mut(self.column(row)) {
                *count += 1;
            }
        }
        counts
    }
}

/// The place of a result's grade in its scheme, 1 being the best; none for a subject that was not rated.
pub(in crate::grading) fn ordinal(scheme: &Scheme, row: &RegionalResultRow) -> Option<i64> {
    let code = row.grade.as_deref().filter(|_| row.status == GRADED)?;
    scheme.grade(code).map(|grade| grade.ordinal)
}

/// A result as a summary.
pub(in crate::grading) fn summary(row: &RegionalResultRow) -> AssessmentSummary {
    AssessmentSummary {
        status: row.status.clone(),
        reason: row.reason.clone(),
        grade: row.grade.clone(),
        points: row.points.map(MilliPoints),
    }
}

impl Rounds {
    /// All results of a run; of a round, the newest versions of its assessments.
    pub(in crate::grading) async fn outcomes(&self, run_id: &str) -> Result<Outcomes, GradingError> {
        let row = self.find(run_id).await?;
        let state = parse_state(&row.state)?;
        if state == RunState::Discarded {
            return Err(GradingError::NoResults(row.id));
        }
        let model = read_model_file(&self.env.db, &row.model_digest, &row.id).await?;
        let mut subjects = BTreeMap::new();
        let mut after = String::new();
        loop {
            let read = self.env.db.read("outcomes");
            let is_round = state.was_published();
            let page = rounds::regional_results_page(&read, &row.id, is_round, &after, PAGE).await;
            let page = page.map_err(GradingError::during("reading the results"))?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.subject_code);
            subjects.extend(page.into_iter().map(|row| (row.subject_code.clone(), row)));
        }
        Ok(Outcomes { row, model, subjects })
    }

    /// The results that a run is compared with: of a round, the round of the half-year before; of any other run, the round
    /// in force of its kind and scheme.
    pub(in crate::grading) async fn outcomes_before(&self, run: &RunRow) -> Result<Option<Outcomes>, GradingError> {
        let all = runs::list(&self.env.db.read("outcomes")).await.map_err(GradingError::during("listing the runs"))?;
        // Kind and scheme together: grades of another scheme have other places.
        let same = |other: &&RunRow| other.kind == run.kind && other.scheme == run.scheme && other.id != run.id;
        let before = if parse_state(&run.state)?.was_published() {
            // A half-year may have been published more than once: the last publication counts.
            let earlier = |other: &&RunRow| other.published_at.is_some() && other.period < run.period;
            let order = |of: &&RunRow| (of.period.clone(), of.published_at, of.id.clone());
            all.iter().filter(same).filter(earlier).max_by_key(order)
        } else {
            all.iter().filter(same).find(|other| other.state == RunState::Published.as_str())
        };
        match before {
            Some(before) => self.outcomes(&before.id).await.map(Some),
            None => Ok(None),
        }
    }
}
