//! Due dates of categories, and whether they are met.

use serde::Serialize;

use crate::{
    domain::{Day, HalfYear},
    scoring::UpdateFrequency,
};

/// The status of a category in a half-year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryState {
    /// Everything due has been delivered.
    Delivered,
    /// Something due is missing.
    Late,
    /// Nothing has been delivered, and nothing is due yet.
    NotDue,
    /// Nothing has been delivered, and perhaps nothing had to be: all measures are events, and none may have happened.
    Silent,
}

/// The deliveries of a category that are due on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The last day of the last interval that is over; `None` if none is over yet.
    pub interval_end: Option<Day>,
    /// Whether only deliveries after that day count.
    after_end: bool,
}

impl Due {
    /// What is due for a half-year on a day.
    ///
    /// Facts are stored by half-year, so months and quarters are judged by the date of the last delivery: it must be
    /// after the end of the last complete month or quarter. Half-yearly and yearly categories only have to exist.
    pub fn of(frequency: UpdateFrequency, period: HalfYear, today: Day) -> Self {
        let first = period.first_month();
        let end_of = |months: i32| first.plus(months - 1).last_day();
        let over = |months: i32| today > end_of(months);
        match frequency {
            UpdateFrequency::Month => {
                Self { interval_end: (1..=6).rev().find(|months| over(*months)).map(end_of), after_end: true }
            }
            UpdateFrequency::Quarter => {
                Self { interval_end: [6, 3].into_iter().find(|months| over(*months)).map(end_of), after_end: true }
            }
            UpdateFrequency::HalfYear => Self { interval_end: over(6).then(|| end_of(6)), after_end: false },
            UpdateFrequency::Year => {
                // Due with the year: optional in the first half.
                let closes = closes_the_year(period);
                Self { interval_end: (closes && over(6)).then(|| end_of(6)), after_end: false }
            }
        }
    }

    /// The status of a category by the day of its last delivery. It is late `grace_days` after it was due.
    pub fn state(self, delivered_on: Option<Day>, only_events: bool, today: Day, grace_days: i64) -> CategoryState {
        let Some(end) = self.interval_end else {
            return if delivered_on.is_some() { CategoryState::Delivered } else { CategoryState::NotDue };
        };
        let covers = delivered_on.is_some_and(|day| !self.after_end || day > end);
        match delivered_on {
            _ if covers => CategoryState::Delivered,
            // Before the test for lateness: an event that did not happen cannot be late.
            None if only_events => CategoryState::Silent,
            // Some events were delivered, and perhaps no more have happened since.
            Some(_) if only_events => CategoryState::Delivered,
            _ if today > end.plus_days(grace_days) => CategoryState::Late,
            Some(_) => CategoryState::Delivered,
            None => CategoryState::NotDue,
        }
    }
}

/// Whether a half-year is the second of its year.
pub(super) fn closes_the_year(period: HalfYear) -> bool {
    period.last_month().last_day().date().month() == time::Month::December
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn state(frequency: UpdateFrequency, period: &str, today: &str, delivered: Option<&str>) -> CategoryState {
        let due = Due::of(frequency, period.parse().unwrap(), day(today));
        due.state(delivered.map(day), false, day(today), 15)
    }

    #[test]
    fn a_missing_half_yearly_category_is_late_after_the_half_year_and_the_grace_days() {
        use UpdateFrequency::HalfYear;
        assert_eq!(state(HalfYear, "2026-H1", "2026-06-30", None), CategoryState::NotDue);
        assert_eq!(state(HalfYear, "2026-H1", "2026-07-15", None), CategoryState::NotDue);
        assert_eq!(state(HalfYear, "2026-H1", "2026-07-16", None), CategoryState::Late);
        assert_eq!(state(HalfYear, "2026-H1", "2026-07-16", Some("2026-05-01")), CategoryState::Delivered);
    }

    #[test]
    fn a_monthly_category_must_be_delivered_after_the_last_complete_month() {
        use UpdateFrequency::Month;
        assert_eq!(state(Month, "2026-H1", "2026-01-31", None), CategoryState::NotDue);
        assert_eq!(state(Month, "2026-H1", "2026-04-15", Some("2026-03-02")), CategoryState::Delivered);
        assert_eq!(state(Month, "2026-H1", "2026-04-16", Some("2026-03-02")), CategoryState::Late);
        assert_eq!(state(Month, "2026-H1", "2026-04-16", Some("2026-04-02")), CategoryState::Delivered);
        assert_eq!(state(Month, "2026-H1", "2026-09-01", Some("2026-06-20")), CategoryState::Late);
        assert_eq!(state(Month, "2026-H1", "2026-09-01", Some("2026-07-02")), CategoryState::Delivered);
    }

    #[test]
    fn a_quarterly_and_a_yearly_category_are_due_with_the_quarter_and_the_year() {
        use UpdateFrequency::{Quarter, Year};
        assert_eq!(state(Quarter, "2026-H1", "2026-03-31", None), CategoryState::NotDue);
        assert_eq!(state(Quarter, "2026-H1", "2026-04-16", None), CategoryState::Late);
        assert_eq!(state(Quarter, "2026-H1", "2026-06-30", Some("2026-04-10")), CategoryState::Delivered);
        assert_eq!(state(Year, "2026-H1", "2026-12-01", None), CategoryState::NotDue);
        assert_eq!(state(Year, "2026-H2", "2026-12-31", None), CategoryState::NotDue);
        assert_eq!(state(Year, "2026-H2", "2027-01-16", None), CategoryState::Late);
    }

    #[test]
    fn missing_events_are_silent_and_not_late() {
        let due = Due::of(UpdateFrequency::HalfYear, "2025-H2".parse().unwrap(), day("2026-09-01"));
        assert_eq!(due.state(None, true, day("2026-09-01"), 15), CategoryState::Silent);
        let due = Due::of(UpdateFrequency::Month, "2025-H2".parse().unwrap(), day("2026-09-01"));
        assert_eq!(due.state(Some(day("2025-08-01")), true, day("2026-09-01"), 15), CategoryState::Delivered);
    }
}
