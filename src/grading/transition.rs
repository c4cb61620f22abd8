//! The rules of when a run may change its state.

use super::{GradingError, RunState, period::period_of};
use crate::{
    domain::{HalfYear, Malformed, Timestamp},
    store::{DbError, runs::RunRow},
};

/// Parses the state of a stored run.
pub(super) fn parse_state(word: &str) -> Result<RunState, GradingError> {
    word.parse().map_err(|error: Malformed| GradingError::Store {
        step: "reading the run",
        source: DbError::corrupt("runs::find", error),
    })
}

/// Refuses a transition that a run in its present state cannot make.
pub(super) fn must_become(run_id: &str, state: &str, next: RunState) -> Result<(), GradingError> {
    let state = parse_state(state)?;
    if state.may_become(next) { Ok(()) } else { Err(GradingError::WrongState { run: run_id.to_owned(), state, next }) }
}

/// Refuses a round whose half-year is not over, or that would replace a later one.
pub(super) fn may_follow(period: HalfYear, former: Option<&RunRow>, now: Timestamp) -> Result<(), GradingError> {
    let today = now.day();
    if today <= period.last_month().last_day() {
        return Err(GradingError::NotOver { period, today });
    }
    match former.map(period_of).transpose()? {
        Some(in_force) if in_force > period => Err(GradingError::Backwards { period, in_force }),
        _ => Ok(()),
    }
}
