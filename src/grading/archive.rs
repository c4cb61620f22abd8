//! What assessments say beside the present grade: grades of former rounds, and first-level totals.

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
    /// Why it was not rated, where it was not.
    pub reason: Option<NotRatedReason>,
    /// The grade; only where the status is graded.
    pub grade: Option<GradeWord>,
    /// The scheme of the round.
    pub scheme_id: String,
    /// Its version.
    pub scheme_version: i64,
    /// The half-year.
    pub period: HalfYear,
    /// The round.
    pub run_id: String,
    /// The version of the assessment.
    pub assessment_version: i64,
    /// The day the assessment was made known.
    pub evaluated_on: Day,
    /// The last day on which it was good.
    pub valid_until: Option<Day>,
    /// Whether it is not what was first published of this half-year.
    pub corrected: bool,
    /// Whether a later round has taken its place; otherwise its time is over.
    pub superseded: bool,
}

/// What an assessment came to on the first level of its model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// The model's id.
    pub model_id: String,
    /// Its version.
    pub model_version: i64,
    /// The most points there are; none under a model that rates by rules.
    pub most: Option<MilliPoints>,
    /// Name, points and most points of each first-level indicator, in the model's order. Models that rate by rules and
    /// rounds that were published before totals were kept have none.
    pub totals: Option<Vec<(String, MilliPoints, MilliPoints)>>,
}

/// Reads former rounds and totals, with the models of rounds kept in memory: a model never changes once a run has kept it.
#[derive(Debug, Clone)]
pub struct Archive {
    db: Db,
    models: Arc<Mutex<BTreeMap<String, Arc<ModelFile>>>>,
}

impl Archive {
    /// The archive of a store.
    pub fn new(db: Db) -> Self {
        Self { db, models: Arc::default() }
    }

    /// The former grades of each code, in the order given, of rounds of some half-years, latest first. `present` is what is told of the codes now:
    /// the round in force is no former one until its time is over. Rounds made while a code belonged to another legal
    /// entity are left out.
    pub async fn former(
        &self,
        present: &[CurrentAssessment],
        (from, to): (HalfYear, HalfYear),
        uscc: &str,
        today: Day,
    ) -> Result<Vec<Vec<FormerAssessment>>, GradingError> {
        let step = "reading former grades";
        let codes: Vec<_> = present.iter().map(|of| of.subject_code.as_str()).collect();
        let read = self.db.read("former");
        let rows = assessments::former(&read, &codes, (&from.to_string(), &to.to_string()), uscc).await;
        let rows = rows.map_err(GradingError::during(step))?;
        let mut out = Vec::with_capacity(present.len());
        for now in present {
            let mut rounds: Vec<FormerAssessment> = Vec::new();
            for row in rows.iter().filter(|row| row.subject_code == now.subject_code) {
                let model = self.model(&row.model_digest).await?;
                let one = former(row, &model).map_err(GradingError::during(step))?;
                // Of rounds of one half-year the one published last counts: it corrects those before it.
                match rounds.iter_mut().find(|of| (of.period, &of.scheme_id) == (one.period, &one.scheme_id)) {
                    Some(last) => last.corrected = true,
                    None => rounds.push(one),
                }
            }
            rounds.retain(|of| is_former(of, now, today));
            for of in &mut rounds {
                withhold(of, now, today);
            }
            out.push(rounds);
        }
        Ok(out)
    }

    /// The first-level totals behind grades that are told now; none for a code that is not graded.
    pub async fn levels(&self, present: &[CurrentAssessment]) -> Result<BTreeMap<String, Levels>, GradingError> {
        let step = "reading first-level totals";
        let graded = present.iter().filter(|of| of.status == GradeStatus::Graded);
        let wanted: Vec<_> = graded
            .filter_map(|of| Some((of.subject_code.as_str(), of.run_id.as_deref()?, of.assessment_version?)))
            .collect();
        let mut out = BTreeMap::new();
        if wanted.is_empty() {
            return Ok(out);
        }
        let rows = assessments::levels(&self.db.read("levels"), &wanted).await.map_err(GradingError::during(step))?;
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
        if let Some(known) = self.models.lock().unwrap_or_else(PoisonError::into_inner).get(digest) {
            return Ok(known.clone());
        }
        let model = Arc::new(read_model_file(&self.db, digest, "of the archive").await?);
        self.models.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.to_owned(), model.clone());
        Ok(model)
    }
}

fn over(valid_until: Option<Day>, today: Day) -> bool {
    valid_until.is_some_and(|last| today > last)
}

/// The round that is told as the present grade is not a former one, until its last day has passed; nor is another of
/// the same half-year and scheme.
fn is_former(of: &FormerAssessment, now: &CurrentAssessment, today: Day) -> bool {
    let present = now.period == Some(of.period) && now.scheme_id.as_deref() == Some(of.scheme_id.as_str());
    !present || over(now.valid_until, today)
}

/// An open objection is against the last round or one that is still good: neither is told while it lasts.
fn withhold(of: &mut FormerAssessment, now: &CurrentAssessment, today: Day) {
    let contestable = !over(of.valid_until, today) || now.period.is_none_or(|period| of.period >= period);
    if now.status == GradeStatus::UnderObjection && contestable {
        of.status = GradeStatus::UnderObjection;
        of.reason = None;
        of.grade = None;
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
            Some(GradeWord { code: grade.code.clone(), name_zh: grade.name_zh.clone(), ordinal: grade.ordinal })
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
    if points.len() != model.level1.len() {
        return Err(corrupt(format!("{} totals for {} first-level indicators", points.len(), model.level1.len())));
    }
    let named = model.level1.iter().zip(points);
    Ok(named.map(|(level, points)| (level.name_zh.clone(), MilliPoints(points), level.weight.milli())).collect())
}
