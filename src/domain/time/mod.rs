//! Instants, days, months and half-years. Instants are UTC on the wire; days and months follow the city's calendar.

mod calendar;
mod http_date;
mod instant;

use time::UtcOffset;

use super::malformed::{Malformed, serde_as_text};

pub use calendar::{Day, HalfYear, Month};
pub use instant::Timestamp;

/// The city's offset from UTC: China keeps one, without daylight saving.
const CITY_OFFSET: UtcOffset = match UtcOffset::from_hms(8, 0, 0) {
    Ok(offset) => offset,
    Err(_) => UtcOffset::UTC,
};

serde_as_text!(Timestamp, Day, Month, HalfYear);

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    fn plus_months_keeps_the_day_or_takes_the_last_of_a_shorter_month() {
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
        fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,24}|[0-9H-]{0,12}") {
            let _ = (text.parse::<Day>(), text.parse::<Month>(), text.parse::<HalfYear>(), text.parse::<Timestamp>());
        }
    }
}
