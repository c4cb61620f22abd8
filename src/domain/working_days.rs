//! The calendar of working days (工作日), a table by year: which days are off, and which weekends are worked.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    Day, TableError,
    table::{Faults, line_at, read},
};

/// The compiled-in calendar.
pub const BUILT_IN: &str = include_str!("../../config/calendar.toml");

/// A year that the calendar does not have, so that its working days are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the calendar of working days has no year {year}: add its holidays to calendar.toml ([reference] calendar_file)"
)]
pub struct YearMissing {
    pub year: i32,
}

#[derive(Debug, Clone, Default)]
struct Year {
    off: BTreeSet<Day>,
    working: BTreeSet<Day>,
    provisional: bool,
}

/// The working days of some years.
#[derive(Debug, Clone)]
pub struct WorkCalendar {
    years: BTreeMap<i32, Year>,
}

/// A deadline in working days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The last day.
    pub day: Day,
    /// Whether it depends on a year whose holidays are not published yet.
    pub provisional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    year: Vec<toml::Spanned<RawYear>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawYear {
    year: i32,
    /// Where it was published.
    source: String,
    #[serde(default)]
    provisional: bool,
    #[serde(default)]
    off: Vec<String>,
    #[serde(default)]
    working: Vec<String>,
}

/// A day, or a range of days with both ends.
fn days(text: &str) -> Result<Vec<Day>, String> {
    let parse = |text: &str| text.parse::<Day>().map_err(|error| error.0);
    let (from, to) = match text.split_once('/') {
        Some((from, to)) => (parse(from)?, parse(to)?),
        None => (parse(text)?, parse(text)?),
    };
    let length = to.days_since(from);
    if !(0..=31).contains(&length) {
        return Err(format!("{text} is not a range of at most 32 days, the first one first"));
    }
    Ok((0..=length).map(|after| from.plus_days(after)).collect())
}

/// Whether a day is a Saturday or a Sunday.
fn is_weekend(day: Day) -> bool {
    matches!(day.date().weekday(), time::Weekday::Saturday | time::Weekday::Sunday)
}

impl WorkCalendar {
    /// Reads and checks a calendar; `file` is its name in error texts.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, TableError> {
        let raw: File = read(file, text)?;
        let mut faults = Faults::new(file);
        let mut years = BTreeMap::new();
        for entry in raw.year {
            let line = line_at(text, &entry.span());
            let raw = entry.into_inner();
            let mut year = Year { provisional: raw.provisional, ..Year::default() };
            faults.require(!raw.source.trim().is_empty(), line, || format!("{} has no source", raw.year));
            for (texts, set) in [(&raw.off, &mut year.off), (&raw.working, &mut year.working)] {
                for text in texts {
                    match days(text) {
                        Ok(days) => set.extend(days),
                        Err(message) => faults.require(false, line, || message),
                    }
                }
            }
            let other = year.off.iter().chain(&year.working).find(|day| day.date().year() != raw.year);
            faults.require(other.is_none(), line, || format!("a day is not in {}", raw.year));
            let both = year.off.intersection(&year.working).next().copied();
            faults.require(both.is_none(), line, || "a day is both off and worked".to_owned());
            let weekday = year.working.iter().find(|day| !is_weekend(**day)).copied();
            faults.require(weekday.is_none(), line, || {
                format!(
                    "{} is no weekend: `working` lists weekends that are worked",
                    weekday.map_or_else(String::new, |day| day.to_string())
                )
            });
            faults.require(raw.provisional || !year.off.is_empty(), line, || {
                format!("{} has no day off: give its holidays, or `provisional = true`", raw.year)
            });
            faults.require(years.insert(raw.year, year).is_none(), line, || format!("{} is listed twice", raw.year));
        }
        faults.finish()?;
        Ok(Self { years })
    }

    /// Reads the compiled-in calendar.
    pub fn built_in() -> Result<Self, TableError> {
        Self::from_toml("config/calendar.toml", BUILT_IN)
    }

    /// The years that it has.
    pub fn years(&self) -> impl Iterator<Item = i32> {
        self.years.keys().copied()
    }

    fn year(&self, day: Day) -> Result<&Year, YearMissing> {
        let year = day.date().year();
        self.years.get(&year).ok_or(YearMissing { year })
    }

    /// Whether the year of a day is provisional.
    pub fn is_provisional(&self, day: Day) -> Result<bool, YearMissing> {
        self.year(day).map(|year| year.provisional)
    }

    /// Whether a day is a working day.
    pub fn is_working(&self, day: Day) -> Result<bool, YearMissing> {
        let year = self.year(day)?;
        Ok(year.working.contains(&day) || !(is_weekend(day) || year.off.contains(&day)))
    }

    /// The last of a number of working days after a day, which itself does not count (期间开始之日不计入).
    pub fn deadline(&self, after: Day, working_days: u16) -> Result<Deadline, YearMissing> {
        let (mut day, mut left, mut provisional) = (after, working_days, false);
        while left > 0 {
            day = day.plus_days(1);
            provisional |= self.is_provisional(day)?;
            left -= u16::from(self.is_working(day)?);
        }
        Ok(Deadline { day, provisional })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn weekends_and_holidays_are_off_and_worked_weekends_are_not() {
        let calendar = WorkCalendar::built_in().unwrap();
        let works = |text: &str| calendar.is_working(day(text)).unwrap();
        for off in ["2026-01-01", "2026-02-15", "2026-02-23", "2026-10-07", "2026-03-07", "2026-03-08"] {
            assert!(!works(off), "{off}");
        }
        for on in ["2026-01-04", "2026-02-14", "2026-02-28", "2026-10-10", "2026-03-06", "2026-02-24"] {
            assert!(works(on), "{on}");
        }
        assert_eq!(calendar.years().collect::<Vec<_>>(), [2026]);
    }

    #[test]
    fn a_deadline_counts_working_days_after_its_first_day() {
        let calendar = WorkCalendar::built_in().unwrap();
        let ten = |from: &str| calendar.deadline(day(from), 10).unwrap().day.to_string();
        // Two ordinary weeks.
        assert_eq!(ten("2026-03-02"), "2026-03-16");
        // The Spring Festival: 14 February is worked, 15 to 23 are off, 28 is worked.
        assert_eq!(ten("2026-02-09"), "2026-02-28");
        // The National Day: 1 to 7 October are off, 10 October is worked.
        assert_eq!(ten("2026-09-28"), "2026-10-16");
        assert_eq!(calendar.deadline(day("2026-03-02"), 0).unwrap().day, day("2026-03-02"));
    }

    #[test]
    fn a_year_that_is_missing_is_an_error_and_a_provisional_one_is_marked() {
        let calendar = WorkCalendar::built_in().unwrap();
        assert_eq!(calendar.deadline(day("2026-12-25"), 10), Err(YearMissing { year: 2027 }));
        assert_eq!(calendar.deadline(day("2026-12-21"), 5).map(|one| one.day), Ok(day("2026-12-28")));
        let text = format!("{BUILT_IN}\n[[year]]\nyear = 2027\nsource = \"weekends only\"\nprovisional = true\n");
        let calendar = WorkCalendar::from_toml("calendar.toml", &text).unwrap();
        let deadline = calendar.deadline(day("2026-12-25"), 10).unwrap();
        assert_eq!((deadline.day, deadline.provisional), (day("2027-01-08"), true));
    }

    #[test]
    fn faults_name_the_line_of_the_year() {
        let text = "[[year]]\nyear = 2026\nsource = \"\"\noff = [\"2026-01-03/2026-01-01\", \"2025-12-31\"]\nworking = [\"2026-01-05\"]\n";
        let error = WorkCalendar::from_toml("calendar.toml", text).unwrap_err().to_string();
        for part in ["no source", "the first one first", "not in 2026", "is no weekend"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(WorkCalendar::from_toml("calendar.toml", "[[year]]\nyear = 2026\nsource = \"x\"\n").is_err());
    }
}
