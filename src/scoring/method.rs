//! The versions of the method by which runs are computed, and what each measure's facts come to under it.
//!
//! A run stores its version: it is replayed, explained and corrected by the method that it was made with, whatever a later
//! version of the program does.

use crate::domain::{Day, HalfYear};

/// The number of months in a half-year.
const MONTHS_IN_HALF_YEAR: u16 = 6;

/// A version of the method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// A stock counts in its own half-year only, and the branches of a head that is not rated count for nobody.
    First,
    /// A stock counts as long as the catalogue says, of two sources on one day the later delivery counts, and the branches
    /// of a head that is not rated count for the head above it.
    Second,
}

impl Method {
    /// The method of new runs.
    pub const CURRENT: Self = Self::Second;

    /// The number that runs store.
    pub const fn number(self) -> i64 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }

    /// The method with a number; `None` for one that a newer version of the program has added.
    pub const fn of_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::First),
            2 => Some(Self::Second),
            _ => None,
        }
    }

    /// Whether stocks of earlier half-years count while they are valid.
    pub(super) const fn carries_stocks(self) -> bool {
        matches!(self, Self::Second)
    }

    /// Whether of two values of one day the one that was delivered later counts.
    pub(super) const fn prefers_later_delivery(self) -> bool {
        matches!(self, Self::Second)
    }

    /// Whether the branches of a head that is not rated count for the head above it.
    pub const fn passes_branches_up(self) -> bool {
        matches!(self, Self::Second)
    }
}

/// How the facts of one measure are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Whether the latest value counts, and not the sum.
    pub(super) is_stock: bool,
    /// How long a stock's value stays valid after its day, in months.
    pub(super) valid_months: u16,
    /// Whether no fact means zero where the denominator is known.
    pub(super) absent_is_zero: bool,
}

/// Whether the values of a half-year are still valid at the end of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// All of them, whatever their day.
    All,
    /// None of them.
    None,
    /// Those of its later days.
    ByDay,
}

impl Reading {
    /// The number of earlier half-years whose values may still be valid.
    pub(super) const fn reach(self) -> u16 {
        if self.is_stock { self.valid_months.saturating_sub(1) / MONTHS_IN_HALF_YEAR } else { 0 }
    }

    /// Whether a value of a day is valid at the end of a half-year: its months are not over on the last day.
    pub(super) fn is_valid(self, day: Day, end: Day) -> bool {
        day.plus_months(i32::from(self.valid_months)) > end
    }

    /// Whether the values of a half-year are valid at the end of a later one.
    pub fn validity(self, of: HalfYear, at: HalfYear) -> Validity {
        let end = at.last_month().last_day();
        if self.is_valid(of.first_month().first_day(), end) {
            Validity::All
        } else if self.is_stock && self.is_valid(of.last_month().last_day(), end) {
            Validity::ByDay
        } else {
            Validity::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validity(months: u16, of: &str, at: &str) -> Validity {
        let reading = Reading { is_stock: true, valid_months: months, absent_is_zero: false };
        reading.validity(of.parse().unwrap(), at.parse().unwrap())
    }

    #[test]
    fn a_validity_of_whole_half_years_needs_no_days() {
        for (months, halves) in [(6, 1), (12, 2), (24, 4), (60, 10)] {
            let at: HalfYear = "2026-H1".parse().unwrap();
            for back in 0..12 {
                let of = at.plus(-back).to_string();
                let expected = if back < halves { Validity::All } else { Validity::None };
                assert_eq!(validity(months, &of, "2026-H1"), expected, "{months} months, {of}");
            }
        }
    }

    #[test]
    fn any_other_validity_is_decided_by_the_day() {
        assert_eq!(validity(9, "2025-H2", "2026-H1"), Validity::ByDay);
        assert_eq!(validity(9, "2025-H1", "2026-H1"), Validity::None);
        let reading = Reading { is_stock: true, valid_months: 9, absent_is_zero: false };
        let end = "2026-06-30".parse().unwrap();
        assert!(reading.is_valid("2025-10-01".parse().unwrap(), end));
        assert!(!reading.is_valid("2025-09-30".parse().unwrap(), end));
    }

    #[test]
    fn a_number_that_is_not_known_has_no_method() {
        for method in [Method::First, Method::Second] {
            assert_eq!(Method::of_number(method.number()), Some(method));
        }
        assert_eq!(Method::of_number(3), None);
    }
}
