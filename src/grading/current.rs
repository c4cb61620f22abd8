//! What banks are told of a subject's grade: one of five answers, from one statement.

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
    scoring::Scheme,
    store::{
        Db, DbError,
        runs::{self, CurrentRow},
    },
};

/// A grade as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GradeWord {
    /// The stable code.
    pub code: String,
    /// The word.
    pub name_zh: String,
    /// Its place in the scheme, 1 being the best.
    pub ordinal: i64,
}

/// What is published of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentAssessment {
    /// The subject.
    pub subject_code: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its USCC.
    pub uscc: Option<String>,
    /// The version of its file, which an append compares.
    pub subject_version: i64,
    /// Which of the five answers this is.
    pub status: GradeStatus,
    /// Why it is not rated, where it is not.
    pub reason: Option<NotRatedReason>,
    /// The grade; only where the status is graded.
    pub grade: Option<GradeWord>,
    /// The total; only where the status is graded.
    pub points: Option<MilliPoints>,
    /// The scheme of the round, where one covers the subject.
    pub scheme_id: Option<String>,
    /// Its version.
    pub scheme_version: Option<i64>,
    /// The round's model.
    pub model_id: Option<String>,
    /// The round's half-year.
    pub period: Option<HalfYear>,
    /// The round.
    pub run_id: Option<String>,
    /// The version of the assessment: a correction raises it.
    pub assessment_version: Option<i64>,
    /// The day the assessment was made known.
    pub evaluated_on: Option<Day>,
    /// The last day on which it is good.
    pub valid_until: Option<Day>,
}

/// What is published, read with the schemes of rounds kept in memory: a model never changes once a run has kept it.
#[derive(Debug, Clone)]
pub struct Grades {
    db: Db,
    schemes: Arc<Mutex<BTreeMap<String, Arc<Scheme>>>>,
}

impl Grades {
    /// What is published in a store.
    pub fn new(db: Db) -> Self {
        Self { db, schemes: Arc::default() }
    }

    /// What is published of some subjects, with the publication number of the same moment. Codes that are no subject's
    /// are left out.
    pub async fn current(&self, codes: &[String], today: Day) -> Result<(i64, Vec<CurrentAssessment>), GradingError> {
        let step = "reading the grades";
        let read = self.db.read("current");
        let rows = runs::current(&read, codes).await.map_err(GradingError::during(step))?;
        let publication = match rows.first() {
            Some(row) => row.publication,
            None => runs::publication(&read).await.map_err(GradingError::during(step))?,
        };
        let mut assessments: Vec<CurrentAssessment> = Vec::with_capacity(rows.len());
        for row in rows {
            // Of several schemes for a kind the one published last is told.
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
        if let Some(known) = self.schemes.lock().unwrap_or_else(PoisonError::into_inner).get(digest) {
            return Ok(known.clone());
        }
        let scheme = Arc::new(read_model_file(&self.db, digest, "in force").await?.scheme);
        self.schemes.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.to_owned(), scheme.clone());
        Ok(scheme)
    }
}

/// What is published of some subjects, once: a process that asks often keeps a [`Grades`].
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
    // An objection withholds the grade whatever it is; a round that is over says nothing any more.
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
            Some(GradeWord { code: grade.code.clone(), name_zh: grade.name_zh.clone(), ordinal: grade.ordinal })
        }
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

/// Which grades of which schemes count as good standing (信用优良), upon which settlement data may be read (domain 0.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GoodStanding(pub BTreeMap<String, Vec<String>>);

/// Whether a subject is in good standing now: graded, and with a grade that its scheme counts as good.
pub fn in_good_standing(rule: &GoodStanding, assessment: &CurrentAssessment) -> bool {
    let good = assessment.scheme_id.as_ref().and_then(|scheme| rule.0.get(scheme));
    match (&assessment.grade, good) {
        (Some(grade), Some(good)) => assessment.status == GradeStatus::Graded && good.contains(&grade.code),
        _ => false,
    }
}
