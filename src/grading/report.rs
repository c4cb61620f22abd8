//! The results of a run in numbers.

use std::{collections::BTreeMap, fmt::Write};

use serde::Serialize;

use super::{GradingError, Rounds, documents::read_model_file, percent::percent, period::period_of, status::GRADED};
use crate::{
    domain::{HalfYear, Timestamp},
    store::runs::{self, RunRow},
};

/// The number of subjects with a grade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GradeCount {
    pub code: String,
    /// The Chinese word of the grade.
    pub name_zh: String,
    /// Place in the scheme, 1 being the best.
    pub ordinal: i64,
    /// The number of subjects.
    pub count: i64,
    /// Their share of all graded subjects, as a percentage with two decimals, rounded half up.
    pub percent: String,
}

/// The results of a run in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub run: String,
    /// `trial`, `preassessment`, `published`, `superseded` or `discarded`.
    pub state: String,
    /// The kind of subject.
    pub kind: String,
    pub period: HalfYear,
    pub model: String,
    pub model_version: i64,
    pub scheme: String,
    pub scheme_version: i64,
    /// The number of subjects that the run covers.
    pub subjects: i64,
    /// The number of graded subjects.
    pub graded: i64,
    /// The number of subjects by grade, best grade first, with grades that nobody earned.
    pub grades: Vec<GradeCount>,
    /// The number of subjects that were not rated, by reason.
    pub not_rated: BTreeMap<String, i64>,
    /// The digest of the model.
    pub model_digest: String,
    /// The digest of the inputs.
    pub input_digest: String,
    /// The digest of the results.
    pub outcome_digest: String,
    /// When the run was made.
    pub created_at: Timestamp,
    /// When the run was published.
    pub published_at: Option<Timestamp>,
    /// The last day on which the grades are valid.
    pub valid_until: Option<String>,
}

impl Report {
    /// The report as text for a terminal.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Infallible: writing to a String.
        let _ = writeln!(
            text,
            "run {} ({}): {} in {}, model {} version {}",
            self.run, self.state, self.kind, self.period, self.model, self.model_version
        );
        if let Some(last) = &self.valid_until {
            let _ = writeln!(text, "valid until {last}");
        }
        let _ = writeln!(text, "{} subjects, {} graded", self.subjects, self.graded);
        for grade in &self.grades {
            let _ = writeln!(text, "  {:<10} {} {:>6}  {:>6}%", grade.code, grade.name_zh, grade.count, grade.percent);
        }
        for (reason, count) in &self.not_rated {
            let _ = writeln!(text, "  not rated, {reason}: {count}");
        }
        let _ = writeln!(
            text,
            "input   {}\nmodel   {}\noutcome {}",
            self.input_digest, self.model_digest, self.outcome_digest
        );
        text
    }
}

impl Rounds {
    /// The results of a run in numbers.
    pub async fn report(&self, run_id: &str) -> Result<Report, GradingError> {
        let run = self.find(run_id).await?;
        let counts = runs::counts(&self.env.db.read("report"), &run.id).await;
        let counts = counts.map_err(GradingError::during("counting the results"))?;
        let model = read_model_file(&self.env.db, &run.model_digest, &run.id).await?;
        let graded: i64 = counts.iter().filter(|row| row.status == GRADED).map(|row| row.number).sum();
        let earned: BTreeMap<&str, i64> =
            counts.iter().filter_map(|row| Some((row.grade.as_deref()?, row.number))).collect();
        let grades = model.scheme.grade.iter().map(|grade| {
            let count = earned.get(grade.code.as_str()).copied().unwrap_or(0);
            GradeCount {
                code: grade.code.clone(),
                name_zh: grade.name_zh.clone(),
                ordinal: grade.ordinal,
                count,
                percent: percent(count.unsigned_abs(), graded.unsigned_abs()),
            }
        });
        let grades = grades.collect();
        let not_rated = counts.iter().filter_map(|row| Some((row.reason.clone()?, row.number))).collect();
        let period = period_of(&run)?;
        let RunRow { id, model_id, model_digest, scheme, kind, state, input_digest, outcome_digest, .. } = run;
        Ok(Report {
            run: id,
            state,
            kind,
            period,
            model: model_id,
            model_version: model.version,
            scheme,
            scheme_version: model.scheme.version,
            subjects: run.subject_count,
            graded,
            grades,
            not_rated,
            model_digest,
            input_digest,
            outcome_digest,
            created_at: Timestamp::from_micros(run.created_at),
            published_at: run.published_at.map(Timestamp::from_micros),
            valid_until: run.valid_until_on,
        })
    }
}
