//! The answer to a grade question: one of five, read by one statement.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::{GradingError, documents::read_model_file, status::GRADED};
use crate::{
    domain::{
        Day, HalfYear, Malformed, Timestamp,
        grade::{GradeStatus, NotRatedReason},
        money::MilliPoints,
    },
    scoring::{Grade, Scheme},
    store::{
        Db, DbError,
        runs::{self, CurrentRow},
    },
};

/// A grade of a scheme: code, word and place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GradeWord {
    pub code: String,
    pub name_zh: String,
    /// Its place in the scheme, 1 being the best.
    pub ordinal: i64,
}

impl From<&Grade> for GradeWord {
    fn from(grade: &Grade) -> Self {
        Self { code: grade.code.clone(), name_zh: grade.name_zh.clone(), ordinal: grade.ordinal }
    }
}

/// The published assessment of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentAssessment {
    pub subject_code: String,
    pub kind: String,
    pub name: String,
    pub uscc: Option<String>,
    /// The version of the subject's file, which every append compares.
    pub subject_version: i64,
    /// One of the five answers.
    pub status: GradeStatus,
    /// Why it is not rated.
    pub reason: Option<NotRatedReason>,
    /// Present only where the status is graded.
    pub grade: Option<GradeWord>,
    /// The total; present only where the status is graded.
    pub points: Option<MilliPoints>,
    /// The scheme of the round, where one covers the subject.
    pub scheme_id: Option<String>,
    /// The version of the scheme.
    pub scheme_version: Option<i64>,
    pub model_id: Option<String>,
    pub period: Option<HalfYear>,
    pub run_id: Option<String>,
    /// Raised by every correction.
    pub assessment_version: Option<i64>,
    /// The day the assessment was published.
    pub evaluated_on: Option<Day>,
    /// The last day on which it is valid.
    pub valid_until: Option<Day>,
}

/// Reads published assessments. Caches schemes by the digest of their model, which never changes once a run has stored it.
#[derive(Debug, Clone)]
pub struct Grades {
    db: Db,
    schemes: Arc<Mutex<BTreeMap<String, Arc<Scheme>>>>,
}

impl Grades {
    /// A reader with an empty cache.
    pub fn new(db: Db) -> Self {
        Self { db, schemes: Arc::default() }
    }

    /// The published assessments of some subjects, and the publication number of the same moment. Codes without a subject
    /// are left out.
    pub async fn current(&self, codes: &[String], today: Day) -> Result<(i64, Vec<CurrentAssessment>), GradingError> {
        let step = "reading the grades";
        let read = self.db.read("current");
        let rows = runs::current(&read, codes).await.map_err(GradingError::during(step))?;
        let publication = match rows.first() {
            Some(row) => row.publication,
            // Without rows the number is read alone: an append still has to compare it.
            None => runs::publication(&read).await.map_err(GradingError::during(step))?,
        };
        let mut assessments: Vec<CurrentAssessment> = Vec::with_capacity(rows.len());
        for row in rows {
            // Rows of a subject come latest published first: of several schemes for a kind the last published counts.
            if assessments.last().is_some_and(|last| last.subject_code == row.subject_code) {
                continue;
            }
            let scheme = match &row.model_digest {
                Some(digest) => Some(self.scheme(digest).await?),
                None => None,
            };
            assessments.push(answer(row, scheme.as_deref(), today).map_err(GradingError::during(step))?);
        }
        Ok((publication, assessments))
    }

    async fn scheme(&self, digest: &str) -> Result<Arc<Scheme>, GradingError> {
        // The lock is never held over the read: two readers may read the same scheme, and the second one replaces it.
        if let Some(cached) = self.schemes.lock().unwrap_or_else(PoisonError::into_inner).get(digest) {
            return Ok(cached.clone());
        }
        let scheme = Arc::new(read_model_file(&self.db, digest, "in force").await?.scheme);
        self.schemes.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.to_owned(), scheme.clone());
        Ok(scheme)
    }
}

/// [`Grades::current`] with an empty cache; a process that reads often reuses a [`Grades`].
pub async fn current(db: &Db, codes: &[String], today: Day) -> Result<(i64, Vec<CurrentAssessment>), GradingError> {
    Grades::new(db.clone()).current(codes, today).await
}

fn answer(row: CurrentRow, scheme: Option<&Scheme>, today: Day) -> Result<CurrentAssessment, DbError> {
    let corrupt = |what: String| DbError::corrupt("runs::current", what);
    let malformed = |error: Malformed| corrupt(error.0);
    let period = row.period.map(|period| period.parse::<HalfYear>()).transpose().map_err(malformed)?;
    let valid_until = row.valid_until_on.map(|day| day.parse::<Day>()).transpose().map_err(malformed)?;
    let reason = match row.reason.as_deref() {
        Some(text) => Some(text.parse().map_err(malformed)?),
        None => None,
    };
    // An open objection withholds even a grade that has expired. An expired grade is never shown.
    let status = match row.status.as_deref() {
        _ if row.under_objection != 0 => GradeStatus::UnderObjection,
        None => GradeStatus::NotEvaluated,
        Some(GRADED) if valid_until.is_some_and(|last| today > last) => GradeStatus::Expired,
        Some(GRADED) => GradeStatus::Graded,
        Some(_) => GradeStatus::NotRated,
    };
    let grade = match (status, row.grade.as_deref(), scheme) {
        (GradeStatus::Graded, Some(code), Some(scheme)) => {
            let grade = scheme.grade(code).ok_or_else(|| corrupt(format!("the grade {code:?}")))?;
            Some(GradeWord::from(grade))
        }
        // Never shown as not rated: a damaged row must not look like an answer.
        (GradeStatus::Graded, _, _) => return Err(corrupt(format!("{} is graded without a grade", row.subject_code))),
        _ => None,
    };
    Ok(CurrentAssessment {
        subject_code: row.subject_code,
        kind: row.kind,
        name: row.name,
        uscc: row.uscc,
        subject_version: row.subject_version,
        status,
        reason: reason.filter(|_| status == GradeStatus::NotRated),
        // Points would give away a grade that is withheld or has expired.
        points: row.points.filter(|_| status == GradeStatus::Graded).map(MilliPoints),
        grade,
        scheme_id: scheme.map(|scheme| scheme.id.clone()),
        scheme_version: scheme.map(|scheme| scheme.version),
        model_id: row.model_id,
        period,
        run_id: row.run_id,
        assessment_version: row.assessment_version,
        evaluated_on: row.made_at.map(|at| Timestamp::from_micros(at).day()),
        valid_until,
    })
}

/// The grades that count as good standing (信用优良), by scheme: the condition for reading settlement data (domain 0.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GoodStanding(pub BTreeMap<String, Vec<String>>);

/// Whether a subject is in good standing: graded, with a grade that counts as good in its scheme.
pub fn in_good_standing(rule: &GoodStanding, assessment: &CurrentAssessment) -> bool {
    let good = assessment.scheme_id.as_ref().and_then(|scheme| rule.0.get(scheme));
    match (&assessment.grade, good) {
        (Some(grade), Some(good)) => assessment.status == GradeStatus::Graded && good.contains(&grade.code),
        _ => false,
    }
}
