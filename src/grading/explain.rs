//! How a subject's result came about, as the run that found it said.

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

/// A subject's result in a run, with the model as it was.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The subject.
    pub subject_code: String,
    /// The run.
    pub run: String,
    /// Its state.
    pub state: String,
    /// Its half-year.
    pub period: HalfYear,
    /// The digest of the model as it was.
    pub model_digest: String,
    /// Why the subject was not rated, where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_rated: Option<String>,
    /// How its points came about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assessment: Option<Assessment>,
    /// The model as it was.
    pub model: ModelFile,
}

impl Explained {
    /// The same as text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
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
    /// How a subject's result came about: in a run, or else in the round in force, or else in the latest run that covers
    /// it.
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

    /// Reckons a result again from the facts that the run read, by its model and catalogue as they were. What comes of it
    /// must be what the run found.
    async fn recompute(&self, run: &RunRow, result: &ResultRow) -> Result<Assessment, GradingError> {
        let during = || GradingError::during("reading the result");
        let (model, catalogue) = read_model(&self.env.db, run).await?;
        let scope = Scope::of_run(&self.env.db, run, &model, catalogue).await?;
        let standing = Standing::from_json(&result.subject_code, &result.standing).map_err(during())?;
        let facts = scope.facts_of(&self.env.db, &standing.code).await?;
        let signed = standing.agreement_signed_on;
        let measures = Measures::collect(&scope.catalogue, scope.period, scope.lookback, signed, facts)
            .map_err(|source| data(&standing.code, source))?;
        let measures = standing.complete(&model, measures);
        let outcome = rate(&model, &measures);
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
        // Stable: within each half the latest comes first.
        all.sort_by_key(|run| run.state != RunState::Published.as_str());
        for run in all {
            if let Some(result) = self.result(&run, subject).await? {
                return Ok((run, result));
            }
        }
        Err(GradingError::NotCovered(subject.to_owned()))
    }
}
