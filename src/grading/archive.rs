//! Grades of former rounds, and the first-level totals behind present grades.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{CurrentAssessment, GradeWord, GradingError, RunState, documents::read_model_file, status::GRADED};
use crate::{
    domain::{
        Day, HalfYear, Malformed, Timestamp,
        grade::{GradeStatus, NotRatedReason},
        money::MilliPoints,
    },
    scoring::ModelFile,
    store::{
        Db, DbError,
        assessments::{self, FormerRow},
    },
};

/// The assessment of a former round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerAssessment {
    /// Graded, not rated, or under objection.
    pub status: GradeStatus,
    /// Why it was not rated.
    pub reason: Option<NotRatedReason>,
    /// The grade; only where the status is graded.
    pub grade: Option<GradeWord>,
    /// The scheme of the round.
    pub scheme_id: String,
    /// The version of the scheme.
    pub scheme_version: i64,
    /// The half-year of the round.
    pub period: HalfYear,
    /// The run that became the round.
    pub run_id: String,
    /// Raised by every correction.
    pub assessment_version: i64,
    /// The day the assessment was published.
    pub evaluated_on: Day,
    /// The last day on which it was valid.
    pub valid_until: Option<Day>,
    /// Whether it replaces an assessment that was published earlier for the same half-year.
    pub corrected: bool,
    /// Whether a later round replaced it; if not, it has expired.
    pub superseded: bool,
}

/// The first-level totals of an assessment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// The id of the model.
    pub model_id: String,
    /// The version of the model.
    pub model_version: i64,
    /// The greatest possible total; none under a model that grades by rules.
    pub most: Option<MilliPoints>,
    /// Name, points and greatest possible points of each first-level indicator, in the model's order. None under a model
    /// that grades by rules, and for rounds published before totals were stored.
    pub totals: Option<Vec<(String, MilliPoints, MilliPoints)>>,
}

/// Reads former grades and totals. Caches models by digest: a model never changes once a run has stored it.
#[derive(Debug, Clone)]
pub struct Archive {
    db: Db,
    models: Arc<Mutex<BTreeMap<String, Arc<ModelFile>>>>,
}

impl Archive {
    /// An archive with an empty cache.
    pub fn new(db: Db) -> Self {
        Self { db, models: Arc::default() }
    }

    /// The former grades of each present assessment, in the order given, of rounds between two half-years, latest first.
    /// The round in force is not a former one until it has expired. Rounds made while the code belonged to another legal
    /// entity are left out.
    pub async fn former(
        &self,
        present: &[CurrentAssessment],
        (from, to): (HalfYear, HalfYear),
        uscc: &str,
        today: Day,
    ) -> Result<Vec<Vec<FormerAssessment>>, GradingError> {
        let step = "reading former grades";
        let codes: Vec<_> = present.iter().map(|assessment| assessment.subject_code.as_str()).collect();
        let read = self.db.read("former");
        let rows = assessments::former(&read, &codes, (&from.to_string(), &to.to_string()), uscc).await;
        let rows = rows.map_err(GradingError::during(step))?;
        let mut out = Vec::with_capacity(present.len());
        for now in present {
            let mut rounds: Vec<FormerAssessment> = Vec::new();
            for row in rows.iter().filter(|row| row.subject_code == now.subject_code) {
                let model = self.model(&row.model_digest).await?;
                let one = former(row, &model).map_err(GradingError::during(step))?;
                // Rows come latest first. Of the rounds of one half-year the last published counts: it corrects the others.
                match rounds.iter_mut().find(|round| (round.period, &round.scheme_id) == (one.period, &one.scheme_id)) {
                    Some(last) => last.corrected = true,
                    None => rounds.push(one),
                }
            }
            // After the corrections are marked: a round that is left out here may still have corrected another.
            rounds.retain(|round| is_former(round, now, today));
            for round in &mut rounds {
                withhold(round, now, today);
            }
            out.push(rounds);
        }
        Ok(out)
    }

    /// The first-level totals behind present grades, by code; none for a code that is not graded.
    pub async fn levels(&self, present: &[CurrentAssessment]) -> Result<BTreeMap<String, Levels>, GradingError> {
        let step = "reading first-level totals";
        let graded = present.iter().filter(|assessment| assessment.status == GradeStatus::Graded);
        let keys: Vec<_> = graded
            // A graded assessment has a run and a version; one without them has no totals to read.
            .filter_map(|graded| {
                Some((graded.subject_code.as_str(), graded.run_id.as_deref()?, graded.assessment_version?))
            })
            .collect();
        let mut out = BTreeMap::new();
        if keys.is_empty() {
            return Ok(out);
        }
        let rows = assessments::levels(&self.db.read("levels"), &keys).await.map_err(GradingError::during(step))?;
        for row in rows {
            let model = self.model(&row.model_digest).await?;
            let totals = row.level_points.as_deref().map(|points| totals(points, &model)).transpose();
            let levels = Levels {
                model_id: model.id.clone(),
                model_version: model.version,
                most: model.by_points().then(|| model.total.milli()),
                totals: totals.map_err(GradingError::during(step))?,
            };
            out.insert(row.subject_code, levels);
        }
        Ok(out)
    }

    async fn model(&self, digest: &str) -> Result<Arc<ModelFile>, GradingError> {
        // The lock is never held over the read: two readers may read the same model, and the second one replaces it.
        if let Some(cached) = self.models.lock().unwrap_or_else(PoisonError::into_inner).get(digest) {
            return Ok(cached.clone());
        }
        let model = Arc::new(read_model_file(&self.db, digest, "of the archive").await?);
        self.models.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.to_owned(), model.clone());
        Ok(model)
    }
}

fn has_expired(valid_until: Option<Day>, today: Day) -> bool {
    // Without a last day it never expires.
    valid_until.is_some_and(|last| today > last)
}

/// The round of the present grade is not a former one until it has expired; nor is another round of the same half-year
/// and scheme.
fn is_former(round: &FormerAssessment, now: &CurrentAssessment, today: Day) -> bool {
    let present = now.period == Some(round.period) && now.scheme_id.as_deref() == Some(round.scheme_id.as_str());
    !present || has_expired(now.valid_until, today)
}

/// Withholds the grades that an open objection may be about: of the last round, and of rounds that are still valid.
fn withhold(round: &mut FormerAssessment, now: &CurrentAssessment, today: Day) {
    // An older round that has expired is history: the objection cannot be about it.
    let contestable = !has_expired(round.valid_until, today) || now.period.is_none_or(|period| round.period >= period);
    if now.status == GradeStatus::UnderObjection && contestable {
        round.status = GradeStatus::UnderObjection;
        round.reason = None;
        round.grade = None;
    }
}

fn corrupt(what: String) -> DbError {
    DbError::corrupt("assessments", what)
}

fn former(row: &FormerRow, model: &ModelFile) -> Result<FormerAssessment, DbError> {
    let malformed = |error: Malformed| corrupt(error.0);
    let graded = row.status == GRADED;
    let reason = row.reason.as_deref().filter(|_| !graded);
    let reason = reason.map(|text| text.parse().map_err(malformed));
    let grade = match row.grade.as_deref().filter(|_| graded) {
        Some(code) => {
            let grade = model.scheme.grade(code).ok_or_else(|| corrupt(format!("the grade {code:?}")))?;
            Some(GradeWord::from(grade))
        }
        None if graded => return Err(corrupt(format!("{} was graded without a grade", row.subject_code))),
        None => None,
    };
    Ok(FormerAssessment {
        status: if graded { GradeStatus::Graded } else { GradeStatus::NotRated },
        reason: reason.transpose()?,
        grade,
        scheme_id: model.scheme.id.clone(),
        scheme_version: model.scheme.version,
        period: row.period.parse().map_err(malformed)?,
        run_id: row.run_id.clone(),
        assessment_version: row.assessment_version,
        evaluated_on: Timestamp::from_micros(row.made_at).day(),
        valid_until: row.valid_until_on.as_deref().map(str::parse).transpose().map_err(malformed)?,
        corrected: row.assessment_version > 1,
        superseded: row.state != RunState::Published.as_str(),
    })
}

fn totals(points: &str, model: &ModelFile) -> Result<Vec<(String, MilliPoints, MilliPoints)>, DbError> {
    let points: Vec<i64> = serde_json::from_str(points).map_err(|error| corrupt(error.to_string()))?;
    // Paired by position: with another number, a total could get the name of another level.
    if points.len() != model.level1.len() {
        return Err(corrupt(format!("{} totals for {} first-level indicators", points.len(), model.level1.len())));
    }
    let named = model.level1.iter().zip(points);
    Ok(named.map(|(level, points)| (level.name_zh.clone(), MilliPoints(points), level.weight.milli())).collect())
}
