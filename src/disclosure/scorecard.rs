//! `scorecard`: first-level totals, and nothing below them.

use std::borrow::Cow;

use serde::Serialize;

use super::{
    Disclosures,
    reading::{CachedReading, CurrentGrades, Extent, Reading},
};
use crate::{
    access::Caller,
    consent::ConsentPermit,
    domain::{
        Day, Failure, HalfYear,
        grade::{GradeStatus, NotRatedReason},
        money::MilliPoints,
        permission::{Permission, Purpose},
    },
    grading::{CurrentAssessment, Levels},
};

/// Reads the first-level totals of each covered code.
#[derive(Debug, Clone, Copy)]
pub struct Scorecard;

/// First-level totals (一级指标得分). Points are integer thousandths.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ScorecardAnswer {
    /// The id of the consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub consent: String,
    /// The purpose of the reading.
    pub purpose: Purpose,
    /// The unified social credit code of the legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    pub uscc: String,
    /// Each covered code.
    pub codes: Vec<CodeScorecard>,
}

/// The totals of one code.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CodeScorecard {
    /// The medical-insurance code.
    #[schema(example = "H33030200090")]
    pub code: String,
    /// The name of the subject.
    pub name: String,
    /// The kind of the subject.
    #[schema(example = "medical_institution")]
    pub kind: String,
    /// `graded`, `not_rated`, `not_evaluated`, `expired` or `under_objection`, as in `grade`. Only `graded` has points.
    #[schema(value_type = String, example = "graded")]
    pub status: GradeStatus,
    /// The reason why it was not rated; only with `not_rated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub not_rated_reason: Option<NotRatedReason>,
    /// The model that gave the grade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelView>,
    /// The total, in thousandths of a point: the sum of the levels, or less where the model's caps and vetoes limit it.
    /// A model that rates by rules and not by points has none, and neither `max_milli_points` nor `levels`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, example = 861_250)]
    pub milli_points: Option<MilliPoints>,
    /// The maximum, in thousandths of a point; absent where there are no points.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, example = 1_000_000)]
    pub max_milli_points: Option<MilliPoints>,
    /// The first-level indicators, in the model's order. Absent under a model without points, and for a
    /// round published before totals were stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<Vec<LevelTotal>>,
    /// The half-year assessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2026-H1")]
    pub period: Option<HalfYear>,
    /// The day the assessment was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2026-07-15")]
    pub evaluated_on: Option<Day>,
    /// The last day of its validity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2027-01-31")]
    pub valid_until: Option<Day>,
    /// The grading run. Corrections and recalls name it, with `assessment_version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The version of the assessment within the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assessment_version: Option<i64>,
}

/// The scoring model that computed the points.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ModelView {
    /// The id of the model.
    #[schema(example = "wenzhou-institution")]
    pub id: String,
    /// The version of the model.
    #[schema(example = 1)]
    pub version: i64,
}

/// The total of a first-level indicator.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LevelTotal {
    /// The name of the indicator.
    #[schema(example = "协议管理")]
    pub name: String,
    /// The points, in thousandths.
    #[schema(value_type = i64, example = 512_400)]
    pub milli_points: MilliPoints,
    /// The maximum, in thousandths of a point.
    #[schema(value_type = i64, example = 580_000)]
    pub max_milli_points: MilliPoints,
}

impl Reading for Scorecard {
    const OPERATION: &'static str = "scorecard";

    fn permissions(&self, _: &Caller) -> Cow<'static, [Permission]> {
        Cow::Borrowed(&[Permission::Scorecard])
    }

    async fn read(
        self,
        room: &Disclosures,
        permit: &ConsentPermit,
        current: CurrentGrades,
    ) -> Result<CachedReading, Failure> {
        let answer = room.scorecard_of(permit, &current.assessments).await?;
        CachedReading::of(&current, &answer, Extent::of(Permission::Scorecard))
    }
}

impl Disclosures {
    pub(super) async fn scorecard_of(
        &self,
        permit: &ConsentPermit,
        assessments: &[CurrentAssessment],
    ) -> Result<ScorecardAnswer, Failure> {
        let consent = permit.consent();
        let mut levels = self.0.archive.levels(assessments).await?;
        Ok(ScorecardAnswer {
            consent: consent.id.to_string(),
            purpose: permit.purpose(),
            uscc: consent.uscc.clone(),
            codes: assessments.iter().map(|of| view(of, levels.remove(&of.subject_code))).collect(),
        })
    }
}

fn view(of: &CurrentAssessment, levels: Option<Levels>) -> CodeScorecard {
    let (model, most, totals) = match levels {
        Some(levels) => {
            let model = ModelView { id: levels.model_id, version: levels.model_version };
            (Some(model), levels.most, levels.totals)
        }
        None => (None, None, None),
    };
    let total = |(name, points, most)| LevelTotal { name, milli_points: points, max_milli_points: most };
    CodeScorecard {
        code: of.subject_code.clone(),
        name: of.name.clone(),
        kind: of.kind.clone(),
        status: of.status,
        not_rated_reason: of.reason,
        model,
        milli_points: of.points,
        max_milli_points: most,
        levels: totals.map(|totals| totals.into_iter().map(total).collect()),
        period: of.period,
        evaluated_on: of.evaluated_on,
        valid_until: of.valid_until,
        run: of.run_id.clone(),
        assessment_version: of.assessment_version,
    }
}
