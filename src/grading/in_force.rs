//! A round as platforms receive it, with the newest version of every assessment.

use super::{GradeWord, GradingError, Rounds, RunHead, documents::read_model_file, status::GRADED};
use crate::{
    domain::{Day, Timestamp, money::MilliPoints},
    scoring::Scheme,
    store::rounds::{self, AssessmentRow},
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

/// A run as platforms receive it.
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
}

impl Rounds {
    /// A run as platforms receive it.
    pub async fn in_force(&self, run_id: &str) -> Result<InForceRound, GradingError> {
        let run = self.find(run_id).await?;
        let model = read_model_file(&self.env.db, &run.model_digest, &run.id).await?;
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
        })
    }

    /// A page of the newest versions of a round's assessments, after a subject, in the engine's order of codes. None of a run
    /// that was never published; an empty page is the end.
    pub async fn results_in_force(
        &self,
        round: &InForceRound,
        after: &str,
    ) -> Result<Vec<InForceResult>, GradingError> {
        let page = rounds::published_page(&self.env.db.read("in_force"), &round.head.run, after, PAGE).await;
        let page = page.map_err(GradingError::during("reading the assessments"))?;
        Ok(page.into_iter().map(|row| round.result(row)).collect())
    }

    /// The newest versions of the assessments of some subjects, by code. A subject that the round does not cover has none.
    pub async fn results_in_force_of(
        &self,
        round: &InForceRound,
        codes: &[String],
    ) -> Result<Vec<InForceResult>, GradingError> {
        let rows = rounds::published_of(&self.env.db.read("in_force"), &round.head.run, codes).await;
        let rows = rows.map_err(GradingError::during("reading the assessments"))?;
        Ok(rows.into_iter().map(|row| round.result(row)).collect())
    }
}

impl InForceRound {
    fn result(&self, row: AssessmentRow) -> InForceResult {
        let code = row.grade.as_deref().filter(|_| row.status == GRADED);
        let grade = code.and_then(|code| self.scheme.grade(code));
        InForceResult {
            grade: grade.map(GradeWord::from),
            code: row.subject_code,
            version: row.version,
            status: row.status,
            reason: row.reason,
            points: row.points.map(MilliPoints),
            evaluated_on: Timestamp::from_micros(row.made_at).day(),
        }
    }
}
