//! What a caller is told where a disclosure comes to nothing.

use crate::{
    consent::Consent,
    domain::{Failure, FailureKind, Timestamp},
    grading::CurrentAssessment,
    ledger::{BudgetUse, RecordError},
};

/// Refuses when a covered code has passed to another legal entity since: what that one allows is not in this consent.
pub(super) fn require_entity(consent: &Consent, assessments: &[CurrentAssessment]) -> Result<(), Failure> {
    if assessments.iter().all(|of| of.uscc.as_deref() == Some(consent.uscc.as_str())) {
        return Ok(());
    }
    Err(Failure::forbidden(
        "entity_changed",
        "A code the consent covers belongs to another legal entity now; a new consent is needed.",
    ))
}

/// What a caller is told of an append that did not happen.
pub(super) fn refused(error: RecordError, now: Timestamp) -> Failure {
    let spent = |code, public: &str, retry_after, of: BudgetUse| {
        Failure::new(FailureKind::Spent { retry_after, quotas: of.quotas(now) }, code, public)
    };
    match error {
        RecordError::Stale => {
            Failure::unavailable("state_moving", "what the answer rests on changed twice while it was made")
        }
        RecordError::TotalUsedUp(of) => spent(
            "consent_used_up",
            "All fetches this consent allows have been made. A new consent is needed.",
            None,
            of,
        ),
        RecordError::DayUsedUp(of) => spent(
            "consent_daily_budget_used_up",
            "The fetches this consent allows in a day have been made. Retry-After says when the next day begins.",
            Some(of.until_tomorrow(now)),
            of,
        ),
        RecordError::Unavailable(error) => Failure::unavailable("ledger_unavailable", error),
    }
}
