//! `report`: every section that the consent and the token's scopes allow, of one moment and as one disclosure.

use std::borrow::Cow;

use serde::Serialize;

use super::{
    Disclosures, GradeAnswer, GradeHistoryAnswer, ScorecardAnswer, SettlementsAnswer, grade, grade_history,
    reading::{CachedReading, CurrentGrades, Extent, Reading, RequestedPeriod},
};
use crate::{
    access::Caller,
    consent::{ConsentPermit, MonthRange},
    domain::{
        Failure,
        permission::{Permission, Purpose, Scope},
    },
    grading::CurrentAssessment,
};

/// Reads all that the consent and the token's scopes allow.
#[derive(Debug, Clone, Copy)]
pub struct Report;

/// All that the consent allows. Each section is the answer of the operation of the same name at the same moment.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ReportAnswer {
    /// The id of the consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub consent: String,
    /// The purpose of the reading.
    pub purpose: Purpose,
    /// The unified social credit code of the legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    pub uscc: String,
    /// The sections that are included, and why others are not.
    pub sections: ReportSections,
    /// The grade of each covered code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<GradeAnswer>,
    /// Former grades, over all half-years the consent covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade_history: Option<GradeHistoryAnswer>,
    /// First-level totals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scorecard: Option<ScorecardAnswer>,
    /// Monthly settlement summaries, over all months the consent covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlements: Option<SettlementsAnswer>,
}

/// The state of each section.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct ReportSections {
    /// The grade of each covered code.
    pub grade: SectionState,
    /// Former grades.
    pub grade_history: SectionState,
    /// First-level totals.
    pub scorecard: SectionState,
    /// Settlement months.
    pub settlements: SectionState,
}

/// Whether a section is in the report, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SectionState {
    /// The section is included.
    Included,
    /// The consent does not allow the section.
    NotPermitted,
    /// The consent allows the section, but the token lacks its scope.
    ScopeMissing,
    /// Consent and token allow the section, but the operation of the same name would refuse it too at this moment.
    NotAvailable,
}

/// The sections, each with the scope it needs.
const SECTIONS: [(Permission, Scope); 4] = [
    (Permission::Grade, Scope::GradeRead),
    (Permission::GradeHistory, Scope::GradeHistoryRead),
    (Permission::Scorecard, Scope::ScorecardRead),
    (Permission::Settlements, Scope::SettlementsRead),
];

impl Reading for Report {
    const OPERATION: &'static str = "report";

    /// The sections that the token's scopes allow.
    fn permissions(&self, caller: &Caller) -> Cow<'static, [Permission]> {
        let in_scope = SECTIONS.iter().filter(|(_, scope)| caller.scopes().contains(scope));
        in_scope.map(|(permission, _)| *permission).collect()
    }

    /// All months of the consent.
    fn period(&self) -> RequestedPeriod {
        RequestedPeriod::Months(MonthRange::default())
    }

    async fn read(
        self,
        room: &Disclosures,
        permit: &ConsentPermit,
        current: CurrentGrades,
    ) -> Result<CachedReading, Failure> {
        let answer = room.report_of(permit, &current.assessments).await?;
        let permissions = answer.sections.included();
        // An answer without data is neither recorded nor charged to the consent.
        if permissions.is_empty() {
            let refusal = Failure::forbidden(
                "report_not_available",
                "No section of a report is available under this consent at the moment.",
            );
            return CachedReading::refused(
                &current,
                refusal,
                Extent { permissions: permit.permissions().to_vec(), months: None },
            );
        }
        let former = answer.grade_history.as_ref().map(|of| (of.from.first_month(), of.to.last_month()));
        // The settlements' months where there are any: they are the whole period of the consent.
        let months = answer.settlements.as_ref().map(|of| (of.from, of.to)).or(former);
        CachedReading::of(&current, &answer, Extent { permissions, months })
    }
}

impl Disclosures {
    async fn report_of(
        &self,
        permit: &ConsentPermit,
        assessments: &[CurrentAssessment],
    ) -> Result<ReportAnswer, Failure> {
        let consent = permit.consent();
        let readable = |section| permit.permissions().contains(&section);
        // From the same assessments as all other sections: a report is of one moment.
        let grade = readable(Permission::Grade).then(|| grade::answer(permit, assessments));
        let grade_history = match grade_history::covered(consent).filter(|_| readable(Permission::GradeHistory)) {
            Some(window) => Some(self.history_of(permit, assessments, window).await?),
            None => None,
        };
        let scorecard =
            if readable(Permission::Scorecard) { Some(self.scorecard_of(permit, assessments).await?) } else { None };
        let settlements =
            if readable(Permission::Settlements) { self.settlements_of(permit, assessments).await? } else { None };
        let state = |section, included| match included {
            true => SectionState::Included,
            false if readable(section) => SectionState::NotAvailable,
            false if consent.permissions.contains(&section) => SectionState::ScopeMissing,
            false => SectionState::NotPermitted,
        };
        let sections = ReportSections {
            grade: state(Permission::Grade, grade.is_some()),
            grade_history: state(Permission::GradeHistory, grade_history.is_some()),
            scorecard: state(Permission::Scorecard, scorecard.is_some()),
            settlements: state(Permission::Settlements, settlements.is_some()),
        };
        Ok(ReportAnswer {
            consent: consent.id.to_string(),
            purpose: permit.purpose(),
            uscc: consent.uscc.clone(),
            sections,
            grade,
            grade_history,
            scorecard,
            settlements,
        })
    }
}

impl ReportSections {
    fn included(self) -> Vec<Permission> {
        // In the order of `SECTIONS`, with which they are zipped.
        let states = [self.grade, self.grade_history, self.scorecard, self.settlements];
        let sections = SECTIONS.iter().zip(states).filter(|(_, state)| *state == SectionState::Included);
        sections.map(|((permission, _), _)| *permission).collect()
    }
}
