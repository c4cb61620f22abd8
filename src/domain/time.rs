//! Instants, days, months and half-years. All in UTC on the wire; days and months are the city's own calendar.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::{Date, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// The city's offset from UTC: China keeps one, without daylight saving.
const CITY_OFFSET: UtcOffset = match UtcOffset::from_hms(8, 0, 0) {
    Ok(offset) => offset,
    Err(_) => UtcOffset::UTC,
};

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the epoch, saturating.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant moved forward, saturating.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This instant moved back, saturating.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The city's calendar day at this instant (UTC+8).
    pub fn day(self) -> Day {
        Day(self.to_utc().to_offset(CITY_OFFSET).date())
    }

    /// The instant as the `time` crate's type, clamped to its range.
    pub fn to_utc(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(at: OffsetDateTime) -> Self {
        Self(i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utc().format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

/// A value that is not what its type says, with the sentence an operator reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl FromStr for Timestamp {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        OffsetDateTime::parse(text, &Rfc3339)
            .map(Self::from)
            .map_err(|_| Malformed(format!("{text:?} is not a time like 2026-03-31T16:00:00Z (RFC 3339)")))
    }
}

/// A calendar day, `2026-03-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The day of a year, month and day of the month.
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

    /// The same day of the month some months on; the last one where that month is shorter.
    #[must_use]
    pub fn plus_months(self, months: i32) -> Self {
        let last = self.month().plus(months).last_day();
        Self(last.0.replace_day(self.0.day()).unwrap_or(last.0))
    }

    /// Days from `earlier` to this day; negative when this is the earlier one.
    pub fn days_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).whole_days()
    }

    /// The first instant of this day in the city (UTC+8).
    pub fn start(self) -> Timestamp {
        Timestamp::from(self.0.midnight().assume_offset(CITY_OFFSET))
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
        // Read by hand: the general parser admits a sign before the year, and imports read millions of these.
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

    /// The month of a year, `1..=12`.
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

    /// Months from `earlier` to this one; negative when this is the earlier one.
    pub const fn months_since(self, earlier: Self) -> i32 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first day of the month.
    pub fn first_day(self) -> Day {
        // Infallible within the range the constructors admit; the epoch's day stands in outside it.
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
        let (year, month) = text.split_once('-').filter(|_| plain).ok_or_else(bad)?;
        Self::new(year.parse().map_err(|_| bad())?, month.parse().map_err(|_| bad())?).map_err(|_| bad())
    }
}

/// A half-year of grading, `2026-H1`: rounds are held twice a year (每半年).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HalfYear(i32);

impl HalfYear {
    /// The half of a year, 1 or 2.
    pub fn new(year: i32, half: u8) -> Result<Self, Malformed> {
        if matches!(half, 1 | 2) && (1900..=9999).contains(&year) {
            Ok(Self(year * 2 + i32::from(half) - 1))
        } else {
            Err(Malformed(format!("{year}-H{half} is not a half-year")))
        }
    }

    /// The half-year a month is in.
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

/// Serde as the text form, for types that print and parse.
macro_rules! serde_as_text {
    ($($name:ty),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )+};
}
pub(crate) use serde_as_text;
serde_as_text!(Timestamp, Day, Month, HalfYear);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_are_not_exactly_the_form_are_refused() {
        for text in ["2026-13", "2026-00", "2026-3", "26-03", "2026/03", "+026-03", "2026-03-01", "２０２６-03", ""]
        {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
        for text in ["2026-02-29", "2026-2-01", "20260201", "2026-04-31", "+2026-01-01", " 2026-01-01", ""] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
        for text in ["2026-H3", "2026-H0", "2026-h1", "026-H1", "+026-H1", "2026-H", "2026-H12", ""] {
            assert!(text.parse::<HalfYear>().is_err(), "{text}");
        }
        for text in ["2026-03-31", "2026-03-31T16:00:00", "yesterday"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_half_year_has_six_months_and_a_leap_february_29_days() {
        let half: HalfYear = "2026-H1".parse().unwrap();
        assert_eq!(
            (half.first_month().to_string(), half.last_month().to_string()),
            ("2026-01".into(), "2026-06".into())
        );
        assert_eq!(half.plus(1).to_string(), "2026-H2");
        assert_eq!(half.plus(-1).to_string(), "2025-H2");
        assert_eq!("2024-02".parse::<Month>().unwrap().last_day().to_string(), "2024-02-29");
        assert_eq!("2026-12".parse::<Month>().unwrap().last_day().to_string(), "2026-12-31");
    }

    #[test]
    fn some_months_on_is_the_same_day_or_the_last_of_a_shorter_month() {
        let on = |text: &str, months| text.parse::<Day>().unwrap().plus_months(months).to_string();
        assert_eq!((on("2026-01-31", 1).as_str(), on("2024-01-31", 1).as_str()), ("2026-02-28", "2024-02-29"));
        assert_eq!((on("2026-03-15", 60).as_str(), on("2026-01-31", -2).as_str()), ("2031-03-15", "2025-11-30"));
    }

    #[test]
    fn the_citys_day_begins_eight_hours_before_utc_does() {
        let day = Day::new(2026, 4, 1).unwrap();
        assert_eq!(day.start().to_string(), "2026-03-31T16:00:00Z");
        assert_eq!(day.start().day(), day);
        assert_eq!(day.start().minus(Duration::from_micros(1)).day(), day.plus_days(-1));
    }

    #[test]
    fn instants_saturate_instead_of_wrapping() {
        let last = Timestamp::from_micros(i64::MAX);
        assert_eq!(last.plus(Duration::from_secs(1)), last);
        assert_eq!(Timestamp::from_micros(5).since(last), Duration::ZERO);
        assert_eq!(Timestamp::from_micros(-1).seconds(), -1);
    }

    proptest! {
        #[test]
        fn days_months_and_half_years_read_back_and_agree(days in 0..2_900_000i64) {
            let day = Day::new(1900, 1, 1).unwrap().plus_days(days);
            let month = day.month();
            let half = HalfYear::of(month);
            prop_assert_eq!(day.to_string().parse::<Day>().unwrap(), day);
            prop_assert_eq!(month.to_string().parse::<Month>().unwrap(), month);
            prop_assert_eq!(half.to_string().parse::<HalfYear>().unwrap(), half);
            prop_assert!(month.first_day() <= day && day <= month.last_day());
            prop_assert!(half.first_month() <= month && month <= half.last_month());
            prop_assert_eq!(day.days_since(Day::new(1900, 1, 1).unwrap()), days);
            // Texts sort as the values do, which range conditions in SQL rely on.
            prop_assert!(day.to_string() < day.plus_days(1).to_string());
            prop_assert!(month.to_string() < month.plus(1).to_string());
        }

        #[test]
        fn months_move_there_and_back(ordinal in 1900 * 12..9000 * 12i32, by in -12_000..12_000i32) {
            let month = Month(ordinal);
            prop_assert_eq!(month.plus(by).plus(-by), month);
            prop_assert_eq!(month.plus(by).months_since(month), by);
        }

        #[test]
        fn an_instant_reads_back_to_the_microsecond(micros in 0..250_000_000_000_000_000i64) {
            let at = Timestamp::from_micros(micros);
            prop_assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
        }

        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,24}|[0-9H-]{0,12}") {
            let _ = (text.parse::<Day>(), text.parse::<Month>(), text.parse::<HalfYear>(), text.parse::<Timestamp>());
        }
    }
}
