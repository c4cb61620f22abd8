//! `grade-history`: the grades of former rounds, within the half-years of the consent's period.

use std::borrow::Cow;

use serde::Serialize;

use super::{
    Disclosures, GradeView,
    reading::{CachedReading, CurrentGrades, Extent, Reading, RequestedPeriod},
};
use crate::{
    access::Caller,
    consent::{Consent, ConsentPermit},
    domain::{
        Day, Failure, HalfYear,
        grade::{GradeStatus, NotRatedReason},
        permission::{Permission, Purpose},
    },
    grading::{CurrentAssessment, FormerAssessment},
};

/// Reads the grades of former rounds of each covered code. An end that is absent is the consent's.
#[derive(Debug, Clone, Copy)]
pub struct GradeHistory {
    /// The first half-year.
    pub from: Option<HalfYear>,
    /// The last half-year.
    pub to: Option<HalfYear>,
}

/// Grades of former rounds (历史等级). Only `grade` has the round in force, until its last day has passed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct GradeHistoryAnswer {
    /// The id of the consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub consent: String,
    /// The purpose of the reading.
    pub purpose: Purpose,
    /// The unified social credit code of the legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    pub uscc: String,
    /// The first half-year of the answer.
    #[schema(value_type = String, example = "2024-H2")]
    pub from: HalfYear,
    /// The last half-year of the answer.
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
    /// The name of the subject.
    pub name: String,
    /// The kind of the subject.
    #[schema(example = "medical_institution")]
    pub kind: String,
    /// The rounds, one for each half-year and scheme, latest first. Half-years in which no round covered the code, or in
    /// which it belonged to another legal entity, are not listed.
    pub rounds: Vec<FormerGrade>,
}

/// The result of one former round.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FormerGrade {
    /// The half-year assessed.
    #[schema(value_type = String, example = "2025-H2")]
    pub period: HalfYear,
    /// `graded`, `not_rated` or `under_objection`.
    #[schema(value_type = String, example = "graded")]
    pub status: GradeStatus,
    /// The reason why it was not rated; only with `not_rated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub not_rated_reason: Option<NotRatedReason>,
    /// The grade; only with `graded`. While an objection is open, a grade that it may concern is not disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<GradeView>,
    /// The day the assessment was published.
    #[schema(value_type = String, example = "2026-01-15")]
    pub evaluated_on: Day,
    /// The last day of its validity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "2026-07-31")]
    pub valid_until: Option<Day>,
    /// Whether a later round has replaced it. If not, its validity is over and there is no later round.
    #[schema(example = true)]
    pub superseded: bool,
    /// Whether it differs from the first publication for the half-year: it was corrected, or the round was repeated.
    #[schema(example = false)]
    pub corrected: bool,
    /// The grading run, as `grade` named it at the time.
    pub run: String,
    /// The version of the assessment within the run.
    #[schema(example = 1)]
    pub assessment_version: i64,
}

impl Reading for GradeHistory {
    const OPERATION: &'static str = "grade_history";

    fn permissions(&self, _: &Caller) -> Cow<'static, [Permission]> {
        Cow::Borrowed(&[Permission::GradeHistory])
    }

    fn period(&self) -> RequestedPeriod {
        RequestedPeriod::HalfYears { from: self.from, to: self.to }
    }

    async fn read(
        self,
        room: &Disclosures,
        permit: &ConsentPermit,
        current: CurrentGrades,
    ) -> Result<CachedReading, Failure> {
        let window = self.within(permit.consent())?;
        let answer = room.history_of(permit, &current.assessments, window).await?;
        let months = Some((answer.from.first_month(), answer.to.last_month()));
        CachedReading::of(&current, &answer, Extent { permissions: vec![Permission::GradeHistory], months })
    }
}

impl Disclosures {
    pub(super) async fn history_of(
        &self,
        permit: &ConsentPermit,
        assessments: &[CurrentAssessment],
        (from, to): (HalfYear, HalfYear),
    ) -> Result<GradeHistoryAnswer, Failure> {
        let consent = permit.consent();
        let former = self.0.archive.former(assessments, (from, to), &consent.uscc, permit.at().day()).await?;
        // The archive returns one list for each assessment, in the same order.
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

/// The half-years that lie wholly within the consent's months: a grade is about all six months of its half-year.
pub(super) fn covered(consent: &Consent) -> Option<(HalfYear, HalfYear)> {
    let (first, last) = (HalfYear::of(consent.data_from), HalfYear::of(consent.data_to));
    let from = if first.first_month() < consent.data_from { first.plus(1) } else { first };
    let to = if last.last_month() > consent.data_to { last.plus(-1) } else { last };
    (from <= to).then_some((from, to))
}

impl GradeHistory {
    /// The half-years to read: those requested, or else the consent's ends.
    fn within(self, consent: &Consent) -> Result<(HalfYear, HalfYear), Failure> {
        let outside = |public: String| Failure::forbidden("period_outside_consent", public);
        let (first, last) = covered(consent).ok_or_else(|| {
            let (from, to) = (consent.data_from, consent.data_to);
            outside(format!("The consent covers the months {from} to {to}, and no whole half-year."))
        })?;
        let (from, to) = (self.from.unwrap_or(first), self.to.unwrap_or(last));
        if from > to {
            let public = format!("The first half-year, {from}, is after the last, {to}.");
            return Err(Failure::invalid("from", "invalid_request", public));
        }
        if from < first || to > last {
            return Err(outside(format!("The consent covers the half-years {first} to {last}.")));
        }
        Ok((from, to))
    }
}
