//! Step 4 of `grade`: the present assessment of each covered code.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Body, Content, CurrentGrades};
use crate::{
    consent::ConsentPermit,
    domain::{
        Day, HalfYear,
        grade::{GradeStatus, NotRatedReason},
        permission::{Permission, Purpose},
    },
    grading::{CurrentAssessment, GradeWord},
};

/// The grade of each covered code (信用等级).
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct GradeAnswer {
    /// The consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub consent: String,
    /// What the reading is for.
    pub purpose: Purpose,
    /// The legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    pub uscc: String,
    /// Each covered code.
    pub codes: Vec<CodeGrade>,
    /// Over the codes of the entity.
    pub total: GradeTotal,
}

/// How one code stands.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CodeGrade {
    /// The medical-insurance code.
    #[schema(example = "H33030200090")]
    pub code: String,
    /// Its name.
    pub name: String,
    /// Which kind of subject it is.
    #[schema(example = "medical_institution")]
    pub kind: String,
    /// `graded`, `not_rated`, `not_evaluated`, `expired` or `under_objection`.
    #[schema(value_type = String, example = "graded")]
    pub status: GradeStatus,
    /// Why it was not rated; only with `not_rated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub not_rated_reason: Option<NotRatedReason>,
    /// The grade; only with `graded`. One that has expired or is objected to is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<GradeView>,
    /// The half-year assessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2026-H1")]
    pub period: Option<HalfYear>,
    /// The day the assessment was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2026-07-15")]
    pub evaluated_on: Option<Day>,
    /// The last day on which it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2027-01-31")]
    pub valid_until: Option<Day>,
    /// The grading run and the assessment's version in it: what a correction or a recall will name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// See `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assessment_version: Option<i64>,
}

/// A grade of a scheme.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct GradeView {
    /// The scheme; `GET /v1/schemes` has its bands.
    #[schema(example = "wenzhou-951")]
    pub scheme: String,
    /// The scheme's version.
    #[schema(example = 1)]
    pub scheme_version: i64,
    /// The grade's code.
    #[schema(example = "excellent")]
    pub code: String,
    /// Its name.
    #[schema(example = "优秀")]
    pub name: String,
    /// Its place, 1 the best.
    #[schema(example = 1)]
    pub ordinal: i64,
}

/// Over the codes of the entity.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct GradeTotal {
    /// How many codes are covered.
    pub codes: usize,
    /// How many stand how.
    pub by_status: BTreeMap<String, usize>,
    /// How many have which grade, as `scheme/grade`.
    pub by_grade: BTreeMap<String, usize>,
}

pub(super) fn read(permit: &ConsentPermit, present: &CurrentGrades) -> Content {
    let answer = answer(permit, &present.assessments);
    present.content(Body::Grade(answer), vec![Permission::Grade], None)
}

pub(super) fn answer(permit: &ConsentPermit, assessments: &[CurrentAssessment]) -> GradeAnswer {
    let consent = permit.consent();
    let mut total = GradeTotal { codes: assessments.len(), ..GradeTotal::default() };
    let codes: Vec<CodeGrade> = assessments.iter().map(view).collect();
    for code in &codes {
        *total.by_status.entry(status_word(code.status).to_owned()).or_default() += 1;
        if let Some(grade) = code.grade.as_ref().filter(|_| code.status == GradeStatus::Graded) {
            *total.by_grade.entry(format!("{}/{}", grade.scheme, grade.code)).or_default() += 1;
        }
    }
    GradeAnswer { consent: consent.id.to_string(), purpose: permit.purpose(), uscc: consent.uscc.clone(), codes, total }
}

const fn status_word(status: GradeStatus) -> &'static str {
    match status {
        GradeStatus::Graded => "graded",
        GradeStatus::NotRated => "not_rated",
        GradeStatus::NotEvaluated => "not_evaluated",
        GradeStatus::Expired => "expired",
        GradeStatus::UnderObjection => "under_objection",
    }
}

fn view(of: &CurrentAssessment) -> CodeGrade {
    let grade = match (&of.grade, &of.scheme_id, of.scheme_version) {
        (Some(grade), Some(scheme), Some(version)) => Some(GradeView::of(grade, scheme, version)),
        _ => None,
    };
    CodeGrade {
        code: of.subject_code.clone(),
        name: of.name.clone(),
        kind: of.kind.clone(),
        status: of.status,
        not_rated_reason: of.reason,
        grade,
        period: of.period,
        evaluated_on: of.evaluated_on,
        valid_until: of.valid_until,
        run: of.run_id.clone(),
        assessment_version: of.assessment_version,
    }
}

impl GradeView {
    pub(super) fn of(grade: &GradeWord, scheme: &str, scheme_version: i64) -> Self {
        Self {
            scheme: scheme.to_owned(),
            scheme_version,
            code: grade.code.clone(),
            name: grade.name_zh.clone(),
            ordinal: grade.ordinal,
        }
    }
}
