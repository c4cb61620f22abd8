//! A round as platforms receive it: the newest version of every assessment.

use super::{GradeWord, GradingError, Rounds, RunHead, documents::read_model_file, status::GRADED};
use crate::{
    domain::{Day, Timestamp, money::MilliPoints},
    scoring::Scheme,
    store::rounds,
};

/// How many results are read at a time.
const PAGE: i64 = 2000;

/// The newest version of an assessment.
#[derive(Debug, Clone)]
pub struct InForceResult {
    pub code: String,
    /// The version of the assessment.
    pub version: i64,
    /// `graded` or `not_rated`.
    pub status: String,
    /// Why it was not rated.
    pub reason: Option<String>,
    pub grade: Option<GradeWord>,
    pub points: Option<MilliPoints>,
    /// The day the assessment was published.
    pub evaluated_on: Day,
}

/// A run with the newest version of every assessment.
#[derive(Debug, Clone)]
pub struct InForceRound {
    pub head: RunHead,
    /// The model's name to people.
    pub model_name: String,
    /// The day the round was published; none if it never was.
    pub published_on: Option<Day>,
    /// The scheme, as the run stored it.
    pub scheme: Scheme,
    /// The last day on which the grades are valid.
    pub valid_until: Option<String>,
    /// The digest of the model.
    pub model_digest: String,
    /// The digest of the results, before corrections.
    pub outcome_digest: String,
    /// The assessments, in the order of codes of the engine.
    pub results: Vec<InForceResult>,
}

impl Rounds {
    /// A run with the newest version of every assessment; none for a run that was never published.
    pub async fn in_force(&self, run_id: &str) -> Result<InForceRound, GradingError> {
        let run = self.find(run_id).await?;
        let model = read_model_file(&self.env.db, &run.model_digest, &run.id).await?;
        let mut results: Vec<InForceResult> = Vec::new();
        loop {
            let after = results.last().map_or("", |result| result.code.as_str());
            let page = rounds::published_page(&self.env.db.read("in_force"), &run.id, after, PAGE).await;
            let page = page.map_err(GradingError::during("reading the assessments"))?;
            if page.is_empty() {
                break;
            }
            results.extend(page.into_iter().map(|row| {
                let code = row.grade.as_deref().filter(|_| row.status == GRADED);
                let grade = code.and_then(|code| model.scheme.grade(code));
                InForceResult {
                    grade: grade.map(GradeWord::from),
                    code: row.subject_code,
                    version: row.version,
                    status: row.status,
                    reason: row.reason,
                    points: row.points.map(MilliPoints),
                    evaluated_on: Timestamp::from_micros(row.made_at).day(),
                }
            }));
        }
        Ok(InForceRound {
            model_name: model.name_zh,
            published_on: run.published_at.map(|at| Timestamp::from_micros(at).day()),
            head: RunHead {
                run: run.id,
                state: run.state,
                kind: run.kind,
                period: run.period,
                model: run.model_id,
                model_version: model.version,
                scheme: run.scheme,
            },
            scheme: model.scheme,
            valid_until: run.valid_until_on,
            model_digest: run.model_digest,
            outcome_digest: run.outcome_digest,
            results,
        })
    }
}
