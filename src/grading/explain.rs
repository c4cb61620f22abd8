//! Explanation of a subject's result, by the model and the facts of the run.

use std::fmt::Write;

use serde::Serialize;

use super::{
    AssessmentSummary, GradingError, Rounds, RunState,
    documents::{read_model, read_model_file},
    eligibility::Standing,
    period::period_of,
    scope::Scope,
    status::GRADED,
    transition::parse_state,
    words::{period_in_words, reason_in_words, result_in_words, state_in_words},
};
use crate::{
    domain::{Day, HalfYear, Timestamp},
    i18n::{Lang, score as text},
    scoring::{Assessment, Catalogue, Model, ModelFile, Terms, describe_assessment_in, evaluate_in, rate},
    store::{
        rounds,
        runs::{self, ResultRow, RunRow},
        subjects,
    },
};

/// A version of a published assessment.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainedVersion {
    /// 1 is the publication; every correction adds one.
    pub version: i64,
    /// The day that it was published.
    pub evaluated_on: Day,
    #[serde(flatten)]
    pub result: AssessmentSummary,
    /// Why it was corrected: for the bureau only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected_because: Option<String>,
}

/// The explanation of a subject's result in a run: of a round, of the version in force.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The code of the subject.
    pub subject_code: String,
    /// The name of the subject; empty for natural persons, and for subjects that no longer exist.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The id of the run.
    pub run: String,
    /// The state of the run.
    pub state: String,
    /// The half-year of the run.
    pub period: HalfYear,
    /// The digest of the model.
    pub model_digest: String,
    /// The last day on which the grade is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// Why the subject was not rated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_rated: Option<String>,
    /// The explanation of its points and grade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assessment: Option<Assessment>,
    /// Every version of the assessment, the first one first; the last one is in force. Empty for a run that was never
    /// published.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<ExplainedVersion>,
    /// The model, as the run stored it.
    pub model: ModelFile,
    /// The catalogue, as the run stored it.
    #[serde(skip)]
    pub(super) catalogue: Catalogue,
    /// The language of the texts in it.
    #[serde(skip)]
    pub(super) lang: Lang,
}

impl Explained {
    /// The language and the names of its texts.
    pub(super) fn terms(&self) -> Terms<'_> {
        Terms::of(self.lang, &self.model).with_measures(&self.catalogue)
    }

    /// The explanation as text for a terminal.
    pub fn to_text(&self) -> String {
        let lang = self.lang;
        let (period, state) = (period_in_words(&self.period.to_string(), lang), state_in_words(&self.state, lang));
        let model = if lang == Lang::Zh { &self.model.name_zh } else { &self.model.id };
        let model = text::model_version(lang, model, self.model.version);
        let mut out = text::explained_head(lang, &self.subject_code, period, model, &self.run, state);
        out.push('\n');
        // Infallible: writing to a String.
        if self.versions.len() > 1 {
            for line in self.history(true) {
                let _ = writeln!(out, "{line}");
            }
        }
        match (&self.assessment, &self.not_rated) {
            (Some(assessment), _) => {
                out.push_str(&describe_assessment_in(&self.model, assessment, self.terms()));
            }
            (None, Some(reason)) => {
                let _ = writeln!(out, "{}", text::not_rated_because(lang, reason_in_words(reason, lang)));
            }
            (None, None) => {}
        }
        out
    }

    /// A line for each version, with the reason of its correction for the bureau.
    pub(super) fn history(&self, internal: bool) -> Vec<String> {
        let lang = self.lang;
        let mut lines = Vec::new();
        for (at, one) in self.versions.iter().enumerate() {
            let result = result_in_words(&self.model.scheme, &one.result, lang);
            let words = if at + 1 == self.versions.len() { text::version_now } else { text::version_before };
            lines.push(words(lang, one.version, one.evaluated_on, result));
            if let Some(reason) = one.corrected_because.as_ref().filter(|_| internal) {
                lines.push(format!("  {}", text::corrected_because(lang, reason)));
            }
        }
        lines
    }
}

/// A result to explain, with what it was computed from.
struct Source {
    result: ResultRow,
    /// The last import that was read.
    imports_to: i64,
    /// How facts were counted.
    counting: i64,
    versions: Vec<ExplainedVersion>,
}

impl Rounds {
    /// Explains a subject's result in a run, in English. Without a run: in the round in force, or in the latest run that
    /// covers the subject.
    pub async fn explain(&self, subject: &str, run: Option<&str>) -> Result<Explained, GradingError> {
        self.explain_in(subject, run, Lang::En).await
    }

    /// The same in a language.
    pub async fn explain_in(&self, subject: &str, run: Option<&str>, lang: Lang) -> Result<Explained, GradingError> {
        let (run, result) = match run {
            Some(run) => {
                let run = self.find(run).await?;
                let result = self.result(&run, subject).await?;
                (run, result.ok_or_else(|| GradingError::NotCovered(subject.to_owned()))?)
            }
            None => self.latest(subject).await?,
        };
        let source = self.in_force_of(&run, result).await?;
        let (model, catalogue) = read_model(&self.env.db, &run).await?;
        let assessment = match source.result.status.as_str() {
            GRADED => Some(self.recompute(&run, &source, &model, &catalogue, lang).await?),
            _ => None,
        };
        let found = subjects::find(&self.env.db.read("explain"), subject).await;
        let found = found.map_err(GradingError::during("looking for the subject"))?;
        Ok(Explained {
            name: found.map(|row| row.name).unwrap_or_default(),
            subject_code: source.result.subject_code,
            period: period_of(&run)?,
            model: read_model_file(&self.env.db, &run.model_digest, &run.id).await?,
            run: run.id,
            state: run.state,
            model_digest: run.model_digest,
            valid_until: run.valid_until_on,
            not_rated: source.result.reason,
            assessment,
            versions: source.versions,
            catalogue,
            lang,
        })
    }

    /// The version in force of a result: of a round, the one of the last correction.
    async fn in_force_of(&self, run: &RunRow, mut result: ResultRow) -> Result<Source, GradingError> {
        let during = || GradingError::during("reading the versions of the assessment");
        let (mut imports_to, mut counting) = (run.imports_to, run.counting);
        if !parse_state(&run.state)?.was_published() {
            return Ok(Source { result, imports_to, counting, versions: Vec::new() });
        }
        let (read, code) = (self.env.db.read("explain"), result.subject_code.clone());
        let rows = rounds::versions(&read, &code, &run.id).await.map_err(during())?;
        let corrections = rounds::corrections_of(&read, &code, &run.id).await.map_err(during())?;
        let because = |version| corrections.iter().find(|row| row.version == version).map(|row| row.reason.clone());
        let versions = rows.iter().map(|row| ExplainedVersion {
            version: row.version,
            evaluated_on: Timestamp::from_micros(row.made_at).day(),
            result: AssessmentSummary::from(row),
            corrected_because: because(row.version),
        });
        let versions = versions.collect();
        if let (Some(row), Some(correction)) = (rows.last(), corrections.last())
            && row.version == correction.version
        {
            let correction = correction.clone();
            (imports_to, counting) = (correction.imports_to, correction.counting);
            (result.findings, result.standing) = (correction.findings, correction.standing);
            (result.status, result.reason) = (row.status.clone(), row.reason.clone());
            (result.grade, result.points) = (row.grade.clone(), row.points);
        }
        Ok(Source { result, imports_to, counting, versions })
    }

    /// Recomputes a result from the facts that it was computed from, by the model and the catalogue of its run. Refused where
    /// the outcome differs from the stored result.
    async fn recompute(
        &self,
        run: &RunRow,
        source: &Source,
        model: &Model,
        catalogue: &Catalogue,
        lang: Lang,
    ) -> Result<Assessment, GradingError> {
        let during = || GradingError::during("reading the result");
        let (result, subject) = (&source.result, Some(source.result.subject_code.as_str()));
        // Of a correction, the facts that it counted.
        let run = RunRow { imports_to: source.imports_to, counting: source.counting, ..run.clone() };
        let scope = Scope::of_run(&self.env.db, &run, model, catalogue.clone(), subject).await?;
        // The stored file of the subject and not today's: the result is explained as it was made.
        let standing = Standing::from_json(&result.subject_code, &result.standing).map_err(during())?;
        let facts = scope.facts_of(&self.env.db, &standing.code).await?;
        let signed = standing.agreement_signed_on;
        let measures = scope.collect(signed, facts).map_err(|source| GradingError::data(&standing.code, source))?;
        let measures = standing.complete(model, measures);
        let outcome = rate(model, &measures);
        // Compared before it is explained: an explanation of another result than the stored one would be worse than
        // none.
        let same = result.points == outcome.points.map(|points| points.0)
            && result.grade.as_ref() == Some(&outcome.grade)
            && outcome.parts.to_json() == result.findings;
        if same { Ok(evaluate_in(model, &measures, lang)) } else { Err(GradingError::Altered(run.id.clone())) }
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
