//! Dates in HTTP header fields (RFC 9110 section 5.6.7).

use time::{Date, Month, Time};

use super::Timestamp;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Timestamp {
    /// Reads a date of HTTP in any of its three forms; none if it is in no such form. The name of the day is not compared.
    pub fn from_http_date(text: &str, now: Self) -> Option<Self> {
        let (_, rest) = text.trim().split_once(' ')?;
        let words: Vec<&str> = rest.split_ascii_whitespace().collect();
        let (day, month, year, time) = match words.as_slice() {
            // Sun, 06 Nov 1994 08:49:37 GMT, and Sun Nov  6 08:49:37 1994
            [day, month, year, time, "GMT"] | [month, day, time, year] => (*day, *month, year.parse().ok()?, *time),
            // Sunday, 06-Nov-94 08:49:37 GMT
            [date, time, "GMT"] => {
                let mut parts = date.split('-');
                let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
                (day, month, full_year(year, now)?, *time)
            }
            _ => return None,
        };
        let month = MONTHS.iter().position(|name| *name == month)?;
        let month = Month::try_from(u8::try_from(month + 1).ok()?).ok()?;
        let mut clock = time.split(':');
        let mut number = || clock.next()?.parse::<u8>().ok();
        let time = Time::from_hms(number()?, number()?, number()?).ok()?;
        let date = Date::from_calendar_date(year, month, day.parse().ok()?).ok()?;
        clock.next().is_none().then(|| Self::from(date.with_time(time).assume_utc()))
    }
}

/// A year of two digits: the one that is at most fifty years ahead.
fn full_year(digits: &str, now: Timestamp) -> Option<i32> {
    let (year, present): (i32, i32) = (digits.parse().ok()?, now.to_utc().year());
    let year = present - present.rem_euclid(100) + year;
    Some(if year > present + 50 { year - 100 } else { year })
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn the_three_forms_of_http_are_read() {
        let now = Timestamp::from_seconds(1_780_000_000);
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(Timestamp::from_http_date(text, now), Some(Timestamp::from_seconds(784_111_777)), "{text}");
        }
        let ahead = Timestamp::from_http_date("Tuesday, 01-Jan-30 00:00:00 GMT", now).unwrap();
        assert_eq!(ahead.to_string(), "2030-01-01T00:00:00Z");
        for wrong in
            ["", "120", "Sun, 31 Feb 2026 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 8h GMT"]
        {
            assert_eq!(Timestamp::from_http_date(wrong, now), None, "{wrong}");
        }
    }
}
