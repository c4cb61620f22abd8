//! Step 4 of `grade`: the present assessment of each covered code.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Body, Content, Disclosures};
use crate::{
    consent::ConsentPermit,
    domain::{
        Day, Failure, HalfYear,
        grade::{GradeStatus, NotRatedReason},
        permission::{Permission, Purpose},
    },
    grading::CurrentAssessment,
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

impl Disclosures {
    pub(super) async fn read_grade(&self, permit: &ConsentPermit) -> Result<Content, Failure> {
        let consent = permit.consent();
        let (publication, assessments) = self.0.grades.current(&consent.codes, permit.at().day()).await?;
        super::require_entity(consent, &assessments)?;
        let subjects = assessments.iter().map(|of| (of.subject_code.clone(), of.subject_version)).collect();
        let mut total = GradeTotal { codes: assessments.len(), ..GradeTotal::default() };
        let codes: Vec<CodeGrade> = assessments.into_iter().map(view).collect();
        for code in &codes {
            *total.by_status.entry(status_word(code.status).to_owned()).or_default() += 1;
            if let Some(grade) = code.grade.as_ref().filter(|_| code.status == GradeStatus::Graded) {
                *total.by_grade.entry(format!("{}/{}", grade.scheme, grade.code)).or_default() += 1;
            }
        }
        let answer = GradeAnswer {
            consent: consent.id.to_string(),
            purpose: permit.purpose(),
            uscc: consent.uscc.clone(),
            codes,
            total,
        };
        Ok(Content { body: Body::Grade(answer), subjects, publication, period: None, what: vec![Permission::Grade] })
    }
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

fn view(of: CurrentAssessment) -> CodeGrade {
    let grade = match (of.grade, of.scheme_id, of.scheme_version) {
        (Some(grade), Some(scheme), Some(scheme_version)) => {
            Some(GradeView { scheme, scheme_version, code: grade.code, name: grade.name_zh, ordinal: grade.ordinal })
        }
        _ => None,
    };
    CodeGrade {
        code: of.subject_code,
        name: of.name,
        kind: of.kind,
        status: of.status,
        not_rated_reason: of.reason,
        grade,
        period: of.period,
        evaluated_on: of.evaluated_on,
        valid_until: of.valid_until,
        run: of.run_id,
        assessment_version: of.assessment_version,
    }
}
