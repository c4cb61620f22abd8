//! Results of runs as they are stored, and as they are published.

use std::collections::BTreeMap;

use super::{
    GradingError, Rounds,
    canonical::{self, BySubject},
    documents::read_model_file,
    eligibility::Standing,
    status::GRADED,
};
use crate::{
    domain::money::MilliPoints,
    scoring::{ModelFile, first_levels},
    store::{
        assessments::NewAssessment,
        runs::{self, ResultRow, RunRow},
    },
};

/// How many results are read at a time.
const PAGE: i64 = 1000;

impl Rounds {
    /// Every result of a run as it is stored, in byte order of codes.
    pub(super) async fn stored_results(&self, run_id: &str) -> Result<BTreeMap<String, ResultRow>, GradingError> {
        let mut all = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page = runs::results_page(&self.env.db.read("results"), run_id, &after, PAGE).await;
            let page = page.map_err(GradingError::during("reading the results"))?;
            let Some(last) = page.last() else { return Ok(all) };
            after.clone_from(&last.subject_code);
            all.extend(page.into_iter().map(|row| (row.subject_code.clone(), row)));
        }
    }

    /// The results of a run as assessments. Refused unless they still have the digest that the run recorded.
    pub(super) async fn verified_results(&self, run: &RunRow) -> Result<Vec<NewAssessment>, GradingError> {
        let model = read_model_file(&self.env.db, &run.model_digest, &run.id).await?;
        let mut results: Vec<NewAssessment> = Vec::new();
        let mut digests = BySubject::default();
        loop {
            let after = results.last().map_or("", |row| row.subject_code.as_str());
            let page = runs::results_page(&self.env.db.read("publish"), &run.id, after, PAGE).await;
            let page = page.map_err(GradingError::during("reading the results"))?;
            if page.is_empty() {
                break;
            }
            for row in page {
                digests.add(&row.subject_code, canonical::outcome(&row));
                results.push(assessment(run, &model, row)?);
            }
        }
        // Compared at the end, over all rows: a row that was removed changes it too.
        if digests.outcomes() == run.outcome_digest { Ok(results) } else { Err(GradingError::Altered(run.id.clone())) }
    }
}

/// The published part of a result: the grade, the total and the first-level totals, and nothing beneath them (I4).
pub(super) fn assessment(run: &RunRow, model: &ModelFile, row: ResultRow) -> Result<NewAssessment, GradingError> {
    // A model that grades by rules has no points.
    let level_points = if row.status == GRADED && model.by_points() {
        let points: Vec<MilliPoints> =
            serde_json::from_str(&row.findings).map_err(|_| GradingError::Altered(run.id.clone()))?;
        Some(first_levels(model, &points).into_iter().map(|points| points.0).collect())
    } else {
        None
    };
    Ok(NewAssessment {
        subject_code: row.subject_code,
        status: row.status,
        reason: row.reason,
        grade: row.grade,
        points: row.points,
        level_points,
    })
}

/// The standings that results were computed from, in byte order of codes.
pub(super) fn stored_standings(results: &BTreeMap<String, ResultRow>) -> Result<Vec<Standing>, GradingError> {
    let standing = |(code, row): (&String, &ResultRow)| Standing::from_json(code, &row.standing);
    results.iter().map(standing).collect::<Result<_, _>>().map_err(GradingError::during("reading the results"))
}
