//! The city's calendar: days, months and half-years.

use std::{fmt, str::FromStr};

use time::Date;

use super::Malformed;

/// A calendar day, `2026-03-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// Creates a day from year, month and day of the month.
    pub fn new(year: i32, month: u8, day: u8) -> Result<Self, Malformed> {
        let bad = || Malformed(format!("{year:04}-{month:02}-{day:02} is not a day of the calendar"));
        let month = time::Month::try_from(month).map_err(|_| bad())?;
        Date::from_calendar_date(year, month, day).map(Self).map_err(|_| bad())
    }

    /// The underlying calendar date.
    pub const fn date(self) -> Date {
        self.0
    }

    /// The month this day is in.
    pub fn month(self) -> Month {
        Month::from_ordinal(self.0.year(), u8::from(self.0.month()))
    }

    /// This day moved by a number of days, saturating at the calendar's ends.
    #[must_use]
    pub fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(time::Duration::days(days)))
    }

    /// This day moved by a number of months; the last day of the month if that month is shorter.
    #[must_use]
    pub fn plus_months(self, months: i32) -> Self {
        let last = self.month().plus(months).last_day();
        // 31 January plus a month has no 31: the last day stands in.
        Self(last.0.replace_day(self.0.day()).unwrap_or(last.0))
    }

    /// Days from `earlier` to this day; negative if `earlier` is later.
    pub fn days_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).whole_days()
    }
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        Self(date)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

impl FromStr for Day {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bad = || Malformed(format!("{text:?} is not a date like 2026-03-31"));
        // Parsed by hand: the general parser accepts a sign before the year, and imports parse millions of days.
        let bytes = text.as_bytes();
        let plain = bytes.len() == 10
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let part = |from: usize, to: usize| text.get(from..to).filter(|_| plain);
        let year = part(0, 4).and_then(|digits| digits.parse().ok()).ok_or_else(bad)?;
        let month = part(5, 7).and_then(|digits| digits.parse().ok()).ok_or_else(bad)?;
        let day = part(8, 10).and_then(|digits| digits.parse().ok()).ok_or_else(bad)?;
        Self::new(year, month, day).map_err(|_| bad())
    }
}

/// A calendar month, `2026-03`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

impl Month {
    const fn from_ordinal(year: i32, month: u8) -> Self {
        Self(year * 12 + month as i32 - 1)
    }

    /// Creates a month from a year and `1..=12`.
    pub fn new(year: i32, month: u8) -> Result<Self, Malformed> {
        if (1..=12).contains(&month) && (1900..=9999).contains(&year) {
            Ok(Self::from_ordinal(year, month))
        } else {
            Err(Malformed(format!("{year:04}-{month:02} is not a month")))
        }
    }

    /// The year.
    pub const fn year(self) -> i32 {
        self.0.div_euclid(12)
    }

    /// The month of the year, `1..=12`.
    pub fn number(self) -> u8 {
        u8::try_from(self.0.rem_euclid(12) + 1).unwrap_or(1)
    }

    /// This month moved by a number of months.
    #[must_use]
    pub const fn plus(self, months: i32) -> Self {
        Self(self.0.saturating_add(months))
    }

    /// Months from `earlier` to this one; negative if `earlier` is later.
    pub const fn months_since(self, earlier: Self) -> i32 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first day of the month.
    pub fn first_day(self) -> Day {
        // Infallible within the range of the constructors; outside it the result is the calendar's first day.
        Day::new(self.year(), self.number(), 1).unwrap_or(Day(Date::MIN))
    }

    /// The last day of the month.
    pub fn last_day(self) -> Day {
        self.plus(1).first_day().plus_days(-1)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.number())
    }
}

impl FromStr for Month {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bad = || Malformed(format!("{text:?} is not a month like 2026-03"));
        let bytes = text.as_bytes();
        let plain = bytes.len() == 7
            && bytes.iter().enumerate().all(|(at, byte)| if at == 4 { *byte == b'-' } else { byte.is_ascii_digit() });
        // The shape is checked first, because the integer parser accepts a sign.
        let (year, month) = text.split_once('-').filter(|_| plain).ok_or_else(bad)?;
        Self::new(year.parse().map_err(|_| bad())?, month.parse().map_err(|_| bad())?).map_err(|_| bad())
    }
}

/// A half-year of grading, `2026-H1`: rounds are held twice a year (每半年).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HalfYear(i32);

impl HalfYear {
    /// Creates a half-year from a year and 1 or 2.
    pub fn new(year: i32, half: u8) -> Result<Self, Malformed> {
        if matches!(half, 1 | 2) && (1900..=9999).contains(&year) {
            Ok(Self(year * 2 + i32::from(half) - 1))
        } else {
            Err(Malformed(format!("{year}-H{half} is not a half-year")))
        }
    }

    /// The half-year of a month.
    pub fn of(month: Month) -> Self {
        Self(month.year() * 2 + i32::from(month.number() > 6))
    }

    /// The first month.
    pub const fn first_month(self) -> Month {
        Month(self.0 * 6)
    }

    /// The last month.
    pub const fn last_month(self) -> Month {
        Month(self.0 * 6 + 5)
    }

    /// This half-year moved by a number of half-years.
    #[must_use]
    pub const fn plus(self, halves: i32) -> Self {
        Self(self.0.saturating_add(halves))
    }
}

impl fmt::Display for HalfYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-H{}", self.0.div_euclid(2), self.0.rem_euclid(2) + 1)
    }
}

impl FromStr for HalfYear {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bad = || Malformed(format!("{text:?} is not a half-year like 2026-H1"));
        let (year, half) =
            text.split_once("-H").filter(|(year, half)| year.len() == 4 && half.len() == 1).ok_or_else(bad)?;
        Self::new(year.parse().map_err(|_| bad())?, half.parse().map_err(|_| bad())?).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn months_move_there_and_back(ordinal in 1900 * 12..9000 * 12i32, by in -12_000..12_000i32) {
            let month = Month(ordinal);
            prop_assert_eq!(month.plus(by).plus(-by), month);
            prop_assert_eq!(month.plus(by).months_since(month), by);
        }
    }
}
