//! `grade`: the assessment in force of each covered code.

use std::{borrow::Cow, collections::BTreeMap};

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
        permission::{Permission, Purpose},
    },
    grading::{CurrentAssessment, GradeWord},
};

/// Reads the grade of each covered code.
#[derive(Debug, Clone, Copy)]
pub struct Grade;

/// The grade of each covered code (信用等级).
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct GradeAnswer {
    /// The id of the consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub consent: String,
    /// The purpose of the reading.
    pub purpose: Purpose,
    /// The unified social credit code of the legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    pub uscc: String,
    /// Each covered code.
    pub codes: Vec<CodeGrade>,
    /// The counts over all covered codes.
    pub total: GradeTotal,
}

/// The grade of one code, or why it has none.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CodeGrade {
    /// The medical-insurance code.
    #[schema(example = "H33030200090")]
    pub code: String,
    /// The name of the subject.
    pub name: String,
    /// The kind of the subject.
    #[schema(example = "medical_institution")]
    pub kind: String,
    /// `graded`, `not_rated`, `not_evaluated`, `expired` or `under_objection`.
    #[schema(value_type = String, example = "graded")]
    pub status: GradeStatus,
    /// The reason why it was not rated; only with `not_rated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub not_rated_reason: Option<NotRatedReason>,
    /// The grade; only with `graded`. A grade that has expired or is under objection is not disclosed.
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

/// A grade of a scheme.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct GradeView {
    /// The scheme; `GET /v1/schemes` lists its bands.
    #[schema(example = "wenzhou-951")]
    pub scheme: String,
    /// The scheme's version.
    #[schema(example = 1)]
    pub scheme_version: i64,
    /// The code of the grade.
    #[schema(example = "excellent")]
    pub code: String,
    /// The name of the grade.
    #[schema(example = "优秀")]
    pub name: String,
    /// The rank of the grade; 1 is the best.
    #[schema(example = 1)]
    pub ordinal: i64,
}

/// The counts over all covered codes.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct GradeTotal {
    /// The number of covered codes.
    pub codes: usize,
    /// The number of codes by status.
    pub by_status: BTreeMap<String, usize>,
    /// The number of codes by grade, as `scheme/grade`.
    pub by_grade: BTreeMap<String, usize>,
}

impl Reading for Grade {
    const OPERATION: &'static str = "grade";

    fn permissions(&self, _: &Caller) -> Cow<'static, [Permission]> {
        Cow::Borrowed(&[Permission::Grade])
    }

    async fn read(
        self,
        _: &Disclosures,
        permit: &ConsentPermit,
        current: CurrentGrades,
    ) -> Result<CachedReading, Failure> {
        let answer = answer(permit, &current.assessments);
        CachedReading::of(&current, &answer, Extent::of(Permission::Grade))
    }
}

pub(super) fn answer(permit: &ConsentPermit, assessments: &[CurrentAssessment]) -> GradeAnswer {
    let consent = permit.consent();
    let mut total = GradeTotal { codes: assessments.len(), ..GradeTotal::default() };
    let codes: Vec<CodeGrade> = assessments.iter().map(view).collect();
    for code in &codes {
        *total.by_status.entry(status_word(code.status).to_owned()).or_default() += 1;
        // A grade that is not disclosed does not count by its name either: the count would disclose it.
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
