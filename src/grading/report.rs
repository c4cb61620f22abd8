//! What came of a run, in numbers.

use std::{collections::BTreeMap, fmt::Write};

use serde::Serialize;

use super::{GradingError, Rounds, documents::read_model_file, period::period_of, status::GRADED};
use crate::{
    domain::{HalfYear, Timestamp},
    store::runs::{self, RunRow},
};

/// How many subjects earned a grade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GradeCount {
    /// The grade's code.
    pub code: String,
    /// The grade's word.
    pub name_zh: String,
    /// Its place in the scheme.
    pub ordinal: i64,
    /// How many.
    pub count: i64,
    /// Their share of those graded, as a percentage with two decimals, the rest rounded half up.
    pub percent: String,
}

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run.
    pub run: String,
    /// trial, preassessment, published or superseded.
    pub state: String,
    /// The kind of subject.
    pub kind: String,
    /// The half-year.
    pub period: HalfYear,
    /// The model's id.
    pub model: String,
    /// The model's version.
    pub model_version: i64,
    /// The scheme's id.
    pub scheme: String,
    /// The scheme's version.
    pub scheme_version: i64,
    /// How many subjects it covers.
    pub subjects: i64,
    /// How many of them were graded.
    pub graded: i64,
    /// How many earned each grade, best first; also grades that nobody earned.
    pub grades: Vec<GradeCount>,
    /// How many were not rated, by reason.
    pub not_rated: BTreeMap<String, i64>,
    /// The digest of the model.
    pub model_digest: String,
    /// The digest of what was read.
    pub input_digest: String,
    /// The digest of what came of it.
    pub outcome_digest: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// The last day on which its grades are good.
    pub valid_until: Option<String>,
}

impl Report {
    /// The same as text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "run {} ({}): {} in {}, model {} version {}",
            self.run, self.state, self.kind, self.period, self.model, self.model_version
        );
        if let Some(last) = &self.valid_until {
            let _ = writeln!(text, "good until {last}");
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
    /// What came of a run.
    pub async fn report(&self, run_id: &str) -> Result<Report, GradingError> {
        let run = self.find(run_id).await?;
        let counts = runs::counts(&self.env.db.read("report"), &run.id).await;
        let counts = counts.map_err(GradingError::during("counting the results"))?;
        let model = read_model_file(&self.env.db, &run.model_digest, &run.id).await?;
        let graded = counts.iter().filter(|row| row.status == GRADED).map(|row| row.number).sum();
        let earned: BTreeMap<&str, i64> =
            counts.iter().filter_map(|row| Some((row.grade.as_deref()?, row.number))).collect();
        let grades = model.scheme.grade.iter().map(|grade| {
            let count = earned.get(grade.code.as_str()).copied().unwrap_or(0);
            GradeCount {
                code: grade.code.clone(),
                name_zh: grade.name_zh.clone(),
                ordinal: grade.ordinal,
                count,
                percent: percent(count, graded),
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

/// A share as a percentage with two decimals, rounded half up.
fn percent(count: i64, of: i64) -> String {
    let hundredths = if of > 0 { (count * 20_000 + of) / (2 * of) } else { 0 };
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_half_up() {
        assert_eq!(percent(203, 2000), "10.15");
        assert_eq!(percent(1, 3), "33.33");
        assert_eq!(percent(2, 3), "66.67");
        assert_eq!(percent(1, 16), "6.25");
        assert_eq!(percent(1, 20_000), "0.01");
        assert_eq!(percent(0, 0), "0.00");
    }
}
