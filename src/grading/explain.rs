//! Explanation of a subject's result, by the model and the facts of the run.

use std::fmt::Write;

use serde::Serialize;

use super::{
    GradingError, Rounds, RunState,
    documents::{read_model, read_model_file},
    eligibility::Standing,
    inputs::{Scope, data},
    period::period_of,
    status::GRADED,
};
use crate::{
    domain::HalfYear,
    scoring::{Assessment, Measures, ModelFile, describe_assessment, evaluate, rate},
    store::runs::{self, ResultRow, RunRow},
};

/// The explanation of a subject's result in a run.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The code of the subject.
    pub subject_code: String,
    /// The id of the run.
    pub run: String,
    /// The state of the run.
    pub state: String,
    /// The half-year of the run.
    pub period: HalfYear,
    /// The digest of the model.
    pub model_digest: String,
    /// Why the subject was not rated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_rated: Option<String>,
    /// The explanation of its points and grade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assessment: Option<Assessment>,
    /// The model, as the run stored it.
    pub model: ModelFile,
}

impl Explained {
    /// The explanation as text for a terminal.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Infallible: writing to a String.
        let _ = writeln!(
            text,
            "{} in {}: {} version {}, run {} ({})",
            self.subject_code, self.period, self.model.id, self.model.version, self.run, self.state
        );
        match (&self.assessment, &self.not_rated) {
            (Some(assessment), _) => text.push_str(&describe_assessment(&self.model, assessment)),
            (None, Some(reason)) => {
                let _ = writeln!(text, "not rated: {reason}");
            }
            (None, None) => {}
        }
        text
    }
}

impl Rounds {
    /// Explains a subject's result in a run. Without a run: in the round in force, or in the latest run that covers the
    /// subject.
    pub async fn explain(&self, subject: &str, run: Option<&str>) -> Result<Explained, GradingError> {
        let (run, result) = match run {
            Some(run) => {
                let run = self.find(run).await?;
                let result = self.result(&run, subject).await?;
                (run, result.ok_or_else(|| GradingError::NotCovered(subject.to_owned()))?)
            }
            None => self.latest(subject).await?,
        };
        let model = read_model_file(&self.env.db, &run.model_digest, &run.id).await?;
        let assessment = match result.status.as_str() {
            GRADED => Some(self.recompute(&run, &result).await?),
            _ => None,
        };
        Ok(Explained {
            subject_code: result.subject_code,
            period: period_of(&run)?,
            run: run.id,
            state: run.state,
            model_digest: run.model_digest,
            not_rated: result.reason,
            assessment,
            model,
        })
    }

    /// Recomputes a result from the facts that the run read, by the model and the catalogue that it stored. Refused where
    /// the outcome differs from the stored result.
    async fn recompute(&self, run: &RunRow, result: &ResultRow) -> Result<Assessment, GradingError> {
        let during = || GradingError::during("reading the result");
        let (model, catalogue) = read_model(&self.env.db, run).await?;
        let scope = Scope::of_run(&self.env.db, run, &model, catalogue).await?;
        // The stored file of the subject and not today's: the run is explained as it was made.
        let standing = Standing::from_json(&result.subject_code, &result.standing).map_err(during())?;
        let facts = scope.facts_of(&self.env.db, &standing.code).await?;
        let signed = standing.agreement_signed_on;
        let halves = (scope.period, scope.lookback);
        let measures = Measures::collect_by(scope.method, &scope.catalogue, halves, signed, facts)
            .map_err(|source| data(&standing.code, source))?;
        let measures = standing.complete(&model, measures);
        let outcome = rate(&model, &measures);
        // Compared before it is explained: an explanation of another result than the stored one would be worse than
        // none.
        let same = result.points == outcome.points.map(|points| points.0)
            && result.grade.as_ref() == Some(&outcome.grade)
            && outcome.parts.to_json() == result.findings;
        if same { Ok(evaluate(&model, &measures)) } else { Err(GradingError::Altered(run.id.clone())) }
    }

    async fn result(&self, run: &RunRow, subject: &str) -> Result<Option<ResultRow>, GradingError> {
        let found = runs::result(&self.env.db.read("explain"), &run.id, subject).await;
        found.map_err(GradingError::during("reading the result"))
    }

    async fn latest(&self, subject: &str) -> Result<(RunRow, ResultRow), GradingError> {
        let mut all =
            runs::list(&self.env.db.read("explain")).await.map_err(GradingError::during("listing the runs"))?;
        // A stable sort: among published runs, and among the others, the latest stays first.
        all.sort_by_key(|run| run.state != RunState::Published.as_str());
        for run in all {
            if let Some(result) = self.result(&run, subject).await? {
                return Ok((run, result));
            }
        }
        Err(GradingError::NotCovered(subject.to_owned()))
    }
}
