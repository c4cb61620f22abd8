//! How a subject's result came about, as the run that found it said.

use std::fmt::Write;

use serde::Serialize;

use super::{GRADED, GradingError, PUBLISHED, Rounds, publish::period_of};
use crate::{
    domain::HalfYear,
    scoring::{Assessment, ModelFile, describe_assessment},
    store::{
        Db,
        runs::{self, ResultRow, RunRow},
    },
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
        let model = read_model(&self.db, &run.model_digest, &run.id).await?;
        let unreadable =
            |error: serde_json::Error| GradingError::Model { run: run.id.clone(), message: error.to_string() };
        let assessment = match result.status.as_str() {
            GRADED => Some(serde_json::from_str(&result.explanation).map_err(unreadable)?),
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

    async fn result(&self, run: &RunRow, subject: &str) -> Result<Option<ResultRow>, GradingError> {
        let found = runs::result(&self.db.read("explain"), &run.id, subject).await;
        found.map_err(GradingError::during("reading the result"))
    }

    async fn latest(&self, subject: &str) -> Result<(RunRow, ResultRow), GradingError> {
        let mut all = runs::list(&self.db.read("explain")).await.map_err(GradingError::during("listing the runs"))?;
        // Stable: within each half the latest comes first.
        all.sort_by_key(|run| run.state != PUBLISHED);
        for run in all {
            if let Some(result) = self.result(&run, subject).await? {
                return Ok((run, result));
            }
        }
        Err(GradingError::NotCovered(subject.to_owned()))
    }
}

/// A model as a run kept it.
pub(super) async fn read_model(db: &Db, digest: &str, run: &str) -> Result<ModelFile, GradingError> {
    let body = runs::model_body(&db.read("model"), digest).await.map_err(GradingError::during("reading the model"))?;
    let refused = |message: String| GradingError::Model { run: run.to_owned(), message };
    let body = body.ok_or_else(|| refused(format!("no model has the digest {digest}")))?;
    serde_json::from_str(&body).map_err(|error| refused(error.to_string()))
}
