//! Step 4 of `report`: every section that the consent allows and the token may read, of one moment and as one disclosure.

use serde::Serialize;

use super::{
    Body, Content, CurrentGrades, Disclosures, GradeAnswer, GradeHistoryAnswer, ScorecardAnswer, SettlementsAnswer,
    grade, history,
};
use crate::{
    access::Caller,
    consent::ConsentPermit,
    domain::{
        Failure,
        permission::{Permission, Purpose, Scope},
    },
};

/// All that the consent allows. Each section is what the endpoint of its name would have answered at the same moment.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ReportAnswer {
    /// The consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub consent: String,
    /// What the reading is for.
    pub purpose: Purpose,
    /// The legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    pub uscc: String,
    /// What stands below, and what does not.
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

/// Which section stands how.
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

/// Whether a section stands in a report, and if not, on which side to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SectionState {
    /// It is there.
    Included,
    /// The consent does not allow it.
    NotPermitted,
    /// The consent allows it, and the token lacks its scope.
    ScopeMissing,
    /// The consent and the token allow it, and the endpoint of its name would refuse it too at this moment.
    NotAvailable,
}

/// The sections, each with the scope it needs.
const SECTIONS: [(Permission, Scope); 4] = [
    (Permission::Grade, Scope::GradeRead),
    (Permission::GradeHistory, Scope::GradeHistoryRead),
    (Permission::Scorecard, Scope::ScorecardRead),
    (Permission::Settlements, Scope::SettlementsRead),
];

/// What of a report the caller's token may read.
pub(super) fn readable(caller: &Caller) -> Vec<Permission> {
    let may = |scope: &Scope| caller.scopes().contains(scope);
    SECTIONS.iter().filter(|(_, scope)| may(scope)).map(|(permission, _)| *permission).collect()
}

impl Disclosures {
    pub(super) async fn read_report(&self, permit: &ConsentPermit, present: CurrentGrades) -> Result<Content, Failure> {
        let consent = permit.consent();
        let told = &present.assessments;
        let wanted = |section| permit.permissions().contains(&section);
        let grade = wanted(Permission::Grade).then(|| grade::answer(permit, told));
        let grade_history = match history::covered(consent).filter(|_| wanted(Permission::GradeHistory)) {
            Some(window) => Some(self.history_of(permit, told, window).await?),
            None => None,
        };
        let scorecard = if wanted(Permission::Scorecard) { Some(self.scorecard_of(permit, told).await?) } else { None };
        let settlements = if wanted(Permission::Settlements) { self.settlements_of(permit, told).await? } else { None };
        let state = |section, included| match included {
            true => SectionState::Included,
            false if wanted(section) => SectionState::NotAvailable,
            false if consent.permissions.contains(&section) => SectionState::ScopeMissing,
            false => SectionState::NotPermitted,
        };
        let sections = ReportSections {
            grade: state(Permission::Grade, grade.is_some()),
            grade_history: state(Permission::GradeHistory, grade_history.is_some()),
            scorecard: state(Permission::Scorecard, scorecard.is_some()),
            settlements: state(Permission::Settlements, settlements.is_some()),
        };
        let what = sections.included();
        if what.is_empty() {
            return Err(Failure::forbidden(
                "report_not_available",
                "Nothing that a report may hold is available under this consent at the moment.",
            ));
        }
        let former = grade_history.as_ref().map(|of| (of.from.first_month(), of.to.last_month()));
        let period = settlements.as_ref().map(|of| (of.from, of.to)).or(former);
        let answer = ReportAnswer {
            consent: consent.id.to_string(),
            purpose: permit.purpose(),
            uscc: consent.uscc.clone(),
            sections,
            grade,
            grade_history,
            scorecard,
            settlements,
        };
        Ok(present.content(Body::Report(Box::new(answer)), what, period))
    }
}

impl ReportSections {
    fn included(self) -> Vec<Permission> {
        let states = [self.grade, self.grade_history, self.scorecard, self.settlements];
        let sections = SECTIONS.iter().zip(states).filter(|(_, state)| *state == SectionState::Included);
        sections.map(|((permission, _), _)| *permission).collect()
    }
}
