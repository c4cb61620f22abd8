//! Step 4 of `grade-history`: the grades of former rounds, within the half-years of the consent's period.

use serde::Serialize;

use super::{Body, Content, CurrentGrades, Disclosures, GradeView};
use crate::{
    consent::{Consent, ConsentPermit},
    domain::{
        Day, Failure, HalfYear,
        grade::{GradeStatus, NotRatedReason},
        permission::{Permission, Purpose},
    },
    grading::{CurrentAssessment, FormerAssessment},
};

/// Grades of former rounds (历史等级). The round in force is told by `grade` alone, until its last day has passed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct GradeHistoryAnswer {
    /// The consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub consent: String,
    /// What the reading is for.
    pub purpose: Purpose,
    /// The legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    pub uscc: String,
    /// First half-year asked for.
    #[schema(value_type = String, example = "2024-H2")]
    pub from: HalfYear,
    /// Last half-year asked for.
    #[schema(value_type = String, example = "2026-H1")]
    pub to: HalfYear,
    /// Each covered code.
    pub codes: Vec<CodeHistory>,
}

/// The former grades of one code.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CodeHistory {
    /// The medical-insurance code.
    #[schema(example = "H33030200090")]
    pub code: String,
    /// Its name.
    pub name: String,
    /// Which kind of subject it is.
    #[schema(example = "medical_institution")]
    pub kind: String,
    /// One for each half-year and scheme, latest first. Half-years in which no round covered the code, or in which it
    /// belonged to another legal entity, are not listed.
    pub rounds: Vec<FormerGrade>,
}

/// What one former round found.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FormerGrade {
    /// The half-year assessed.
    #[schema(value_type = String, example = "2025-H2")]
    pub period: HalfYear,
    /// `graded`, `not_rated` or `under_objection`.
    #[schema(value_type = String, example = "graded")]
    pub status: GradeStatus,
    /// Why it was not rated; only with `not_rated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub not_rated_reason: Option<NotRatedReason>,
    /// The grade; only with `graded`. While an objection is open, none is told that it may be against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<GradeView>,
    /// The day the assessment was published.
    #[schema(value_type = String, example = "2026-01-15")]
    pub evaluated_on: Day,
    /// The last day on which it was good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2026-07-31")]
    pub valid_until: Option<Day>,
    /// Whether a later round has taken its place. Otherwise its time is over, and there is no later one.
    #[schema(example = true)]
    pub superseded: bool,
    /// Whether it is not what was first published of the half-year: it was corrected, or the round was made again.
    #[schema(example = false)]
    pub corrected: bool,
    /// The grading run and the assessment's version in it, as `grade` named them at the time.
    pub run: String,
    /// See `run`.
    #[schema(example = 1)]
    pub assessment_version: i64,
}

impl Disclosures {
    pub(super) async fn read_history(
        &self,
        permit: &ConsentPermit,
        present: CurrentGrades,
        ends: (Option<HalfYear>, Option<HalfYear>),
    ) -> Result<Content, Failure> {
        let window = within(permit.consent(), ends)?;
        let answer = self.history_of(permit, &present.assessments, window).await?;
        let period = Some((window.0.first_month(), window.1.last_month()));
        Ok(present.content(Body::GradeHistory(answer), vec![Permission::GradeHistory], period))
    }

    pub(super) async fn history_of(
        &self,
        permit: &ConsentPermit,
        assessments: &[CurrentAssessment],
        (from, to): (HalfYear, HalfYear),
    ) -> Result<GradeHistoryAnswer, Failure> {
        let consent = permit.consent();
        let former = self.0.archive.former(assessments, (from, to), &consent.uscc, permit.at().day()).await?;
        let codes = assessments.iter().zip(former).map(|(present, rounds)| CodeHistory {
            code: present.subject_code.clone(),
            name: present.name.clone(),
            kind: present.kind.clone(),
            rounds: rounds.into_iter().map(view).collect(),
        });
        Ok(GradeHistoryAnswer {
            consent: consent.id.to_string(),
            purpose: permit.purpose(),
            uscc: consent.uscc.clone(),
            from,
            to,
            codes: codes.collect(),
        })
    }
}

fn view(of: FormerAssessment) -> FormerGrade {
    FormerGrade {
        period: of.period,
        status: of.status,
        not_rated_reason: of.reason,
        grade: of.grade.map(|grade| GradeView::of(&grade, &of.scheme_id, of.scheme_version)),
        evaluated_on: of.evaluated_on,
        valid_until: of.valid_until,
        superseded: of.superseded,
        corrected: of.corrected,
        run: of.run_id,
        assessment_version: of.assessment_version,
    }
}

/// The half-years that lie wholly within the consent's months: a grade speaks of all six.
pub(super) fn covered(consent: &Consent) -> Option<(HalfYear, HalfYear)> {
    let (first, last) = (HalfYear::of(consent.data_from), HalfYear::of(consent.data_to));
    let from = if first.first_month() < consent.data_from { first.plus(1) } else { first };
    let to = if last.last_month() > consent.data_to { last.plus(-1) } else { last };
    (from <= to).then_some((from, to))
}

/// The half-years of a reading: those named, or else the consent's ends.
fn within(consent: &Consent, ends: (Option<HalfYear>, Option<HalfYear>)) -> Result<(HalfYear, HalfYear), Failure> {
    let outside = |public: String| Failure::forbidden("period_outside_consent", public);
    let (first, last) = covered(consent).ok_or_else(|| {
        let (from, to) = (consent.data_from, consent.data_to);
        outside(format!("The consent covers the months {from} to {to}, and no whole half-year."))
    })?;
    let (from, to) = (ends.0.unwrap_or(first), ends.1.unwrap_or(last));
    if from > to {
        let public = format!("The first half-year, {from}, is after the last, {to}.");
        return Err(Failure::invalid("from", "invalid_request", public));
    }
    if from < first || to > last {
        return Err(outside(format!("The consent covers the half-years {first} to {last}.")));
    }
    Ok((from, to))
}
