//! The results of a run in numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde::Serialize;

use super::{
    AssessmentSummary, GradingError, Rounds,
    documents::read_model_file,
    percent::percent,
    period::period_of,
    status::GRADED,
    transition::parse_state,
    words::{period_in_words, reason_in_words, result_in_words, state_in_words},
};
use crate::{
    domain::{Day, HalfYear, Timestamp},
    i18n::{Lang, number, report as text, score::model_version},
    scoring::Scheme,
    store::{
        rounds,
        runs::{self, RunRow},
    },
};

/// The number of corrections that a report on the terminal lists.
const MOST_LISTED: usize = 20;

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

/// An assessment of a round that was corrected: in force, and before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CorrectedResult {
    pub subject_code: String,
    /// The version in force.
    pub version: i64,
    /// The day on which it was published.
    pub evaluated_on: Day,
    /// The version before.
    pub before: AssessmentSummary,
    /// The version in force.
    pub now: AssessmentSummary,
}

impl CorrectedResult {
    /// The correction in a line, with the grades of a scheme.
    pub fn in_words(&self, scheme: &Scheme, lang: Lang) -> String {
        let (before, now) = (result_in_words(scheme, &self.before, lang), result_in_words(scheme, &self.now, lang));
        text::corrected_line(lang, &self.subject_code, self.version, before, now, self.evaluated_on)
    }
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
    /// The assessments that were corrected since publication, by code. The numbers above are those in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub corrected: Vec<CorrectedResult>,
    /// The grades.
    #[serde(skip)]
    grade_words: Scheme,
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
    /// The report as text for a terminal; `kind` is the kind of subject in words.
    pub fn to_text(&self, kind: &str, lang: Lang) -> String {
        let (period, state) = (period_in_words(&self.period.to_string(), lang), state_in_words(&self.state, lang));
        let model = model_version(lang, &self.model, self.model_version);
        let mut out = text::run_head(lang, &self.run, state, kind, period, model);
        out.push('\n');
        // Infallible: writing to a String.
        if let Some(last) = &self.valid_until {
            let _ = writeln!(out, "{}", text::valid_until_line(lang, last));
        }
        let _ = writeln!(out, "{}", text::counts(lang, number(self.subjects), number(self.graded)));
        for grade in &self.grades {
            let (code, name, count) = (&grade.code, &grade.name_zh, number(grade.count));
            let _ = writeln!(out, "  {code:<10} {name} {count:>6}  {:>6}%", grade.percent);
        }
        for (reason, count) in &self.not_rated {
            let reason = reason_in_words(reason, lang);
            let _ = writeln!(out, "  {}", text::not_rated_line(lang, reason, number(count)));
        }
        if !self.corrected.is_empty() {
            let _ = writeln!(out, "{}", text::corrections_line(lang, number(self.corrected.len())));
        }
        for one in self.corrected.iter().take(MOST_LISTED) {
            let _ = writeln!(out, "  {}", one.in_words(&self.grade_words, lang));
        }
        let _ = writeln!(out, "{}", text::digests(lang, &self.input_digest, &self.model_digest, &self.outcome_digest));
        out
    }
}

impl Rounds {
    /// The results of a run in numbers.
    pub async fn report(&self, run_id: &str) -> Result<Report, GradingError> {
        let run = self.find(run_id).await?;
        let published = parse_state(&run.state)?.was_published();
        let read = self.env.db.read("report");
        // Of a round, the versions in force: after a correction the numbers are those that banks read.
        let counts =
            if published { rounds::counts_in_force(&read, &run.id).await } else { runs::counts(&read, &run.id).await };
        let corrected = if published { self.corrected(&run.id).await? } else { Vec::new() };
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
            corrected,
            grade_words: model.scheme,
            model_digest,
            input_digest,
            outcome_digest,
            created_at: Timestamp::from_micros(run.created_at),
            published_at: run.published_at.map(Timestamp::from_micros),
            valid_until: run.valid_until_on,
        })
    }

    /// The assessments of a round that were corrected, by code: the version in force, and the one before.
    pub(super) async fn corrected(&self, run_id: &str) -> Result<Vec<CorrectedResult>, GradingError> {
        let during = || GradingError::during("reading the corrected assessments");
        let read = self.env.db.read("corrected");
        let corrections = rounds::corrections(&read, run_id).await.map_err(during())?;
        let codes: BTreeSet<String> = corrections.into_iter().map(|row| row.subject_code).collect();
        let mut corrected = Vec::with_capacity(codes.len());
        for code in codes {
            let versions = rounds::versions(&read, &code, run_id).await.map_err(during())?;
            let [.., before, now] = versions.as_slice() else { continue };
            corrected.push(CorrectedResult {
                version: now.version,
                evaluated_on: Timestamp::from_micros(now.made_at).day(),
                before: AssessmentSummary::from(before),
                now: AssessmentSummary::from(now),
                subject_code: code,
            });
        }
        Ok(corrected)
    }
}
