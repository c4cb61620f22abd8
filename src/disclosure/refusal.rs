//! The refusals of a disclosure.

use crate::{
    consent::Consent,
    domain::{Failure, FailureKind, Timestamp},
    grading::CurrentAssessment,
    ledger::{BudgetUse, RecordError},
};

/// Refuses if a covered code belongs to another legal entity by now: that entity has not given this consent.
pub(super) fn require_entity(consent: &Consent, assessments: &[CurrentAssessment]) -> Result<(), Failure> {
    // A subject without an entity does not match either.
    if assessments.iter().all(|of| of.uscc.as_deref() == Some(consent.uscc.as_str())) {
        return Ok(());
    }
    Err(Failure::forbidden(
        "entity_changed",
        "A code that the consent covers belongs to another legal entity now. Request a new consent.",
    ))
}

/// The refusal for an answer that the ledger did not record.
pub(super) fn refused(error: RecordError, now: Timestamp) -> Failure {
    let spent = |code, public: &str, retry_after, of: BudgetUse| {
        Failure::new(FailureKind::Spent { retry_after, quotas: of.quotas(now) }, code, public)
    };
    match error {
        RecordError::Stale => Failure::unavailable("state_moving", "a version that the answer rests on moved twice"),
        RecordError::TotalUsedUp(of) => {
            spent("consent_used_up", "All fetches this consent allows have been made. Request a new consent.", None, of)
        }
        RecordError::DayUsedUp(of) => spent(
            "consent_daily_budget_used_up",
            "The fetches this consent allows in a day have been made. Retry-After says when the next day begins.",
            Some(of.until_tomorrow(now)),
            of,
        ),
        RecordError::HistoryBehind(error) => Failure::unavailable("history_behind", error),
        RecordError::ClockUntrusted(reason) => Failure::unavailable("clock_untrusted", reason),
        RecordError::Unavailable(error) => Failure::unavailable("ledger_unavailable", error),
    }
}
