//! The half-year of a run, and how long its grades are valid.

use super::GradingError;
use crate::{
    domain::{Day, HalfYear, Malformed},
    scoring::Method,
    store::{DbError, runs::RunRow},
};

/// The half-year of a run.
pub(super) fn period_of(run: &RunRow) -> Result<HalfYear, GradingError> {
    run.period.parse().map_err(|error: Malformed| GradingError::Store {
        step: "reading the run",
        source: DbError::corrupt("runs::find", error),
    })
}

/// The method of a run.
pub(super) fn method_of(run: &RunRow) -> Result<Method, GradingError> {
    Method::of_number(run.method).ok_or_else(|| GradingError::Model {
        run: run.id.clone(),
        message: format!("it was computed by method {}, which only a newer version of the program has", run.method),
    })
}

/// The last day on which grades of a half-year are valid: the end of the next half-year, and the grace months after it.
pub(super) fn valid_until(period: HalfYear, grace_months: u8) -> Day {
    period.plus(1).last_month().plus(i32::from(grace_months)).last_day()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_are_valid_until_the_next_half_year_and_the_grace_are_over() {
        assert_eq!(valid_until("2025-H2".parse().unwrap(), 1).to_string(), "2026-07-31");
        assert_eq!(valid_until("2026-H1".parse().unwrap(), 2).to_string(), "2027-02-28");
        assert_eq!(valid_until("2026-H1".parse().unwrap(), 0).to_string(), "2026-12-31");
    }
}
