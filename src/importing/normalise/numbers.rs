//! Numbers and dates as people write them.

use crate::{importing::heading::Unit, scoring::Decimal};

/// A text with full-width letters, digits and signs as ASCII, and without spaces.
pub(super) fn half_width(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            '−' => '-',
            c => c,
        })
        .collect()
}

/// A text with full-width letters and digits as ASCII.
pub(super) fn half_width_alphanumeric(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => {
                char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c)
            }
            c => c,
        })
        .collect()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number without its thousands separators. `None` if it has some in other places than before three digits.
fn without_separators(text: &str) -> Option<String> {
    if !text.contains(',') {
        return Some(text.to_owned());
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, part) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    if !is_digits(first) || first.len() > 3 || !rest.iter().all(|group| group.len() == 3 && is_digits(group)) {
        return None;
    }
    let part = part.map(|part| format!(".{part}")).unwrap_or_default();
    Some(format!("{sign}{first}{}{part}", rest.concat()))
}

/// A number with up to four decimals; a percentage is its hundredth.
pub(super) fn number(text: &str, unit: Option<Unit>) -> Option<String> {
    let text = without_separators(&half_width(text))?;
    match unit {
        Some(Unit::TenThousandYuan) => {
            // Exact: the point is moved, nothing is multiplied.
            let moved = move_point(&text, 4, 8)?;
            Decimal::parse(&moved).map(|value| value.to_string())
        }
        // A percentage of an amount is no amount.
        Some(_) if text.ends_with('%') => None,
        _ => Decimal::parse(&text).map(|value| value.to_string()),
    }
}

/// A whole number.
pub(super) fn count(text: &str) -> Option<String> {
    let text = without_separators(&half_width(text))?;
    is_digits(text.strip_prefix('-').unwrap_or(&text)).then_some(text)
}

/// An amount in fen.
pub(super) fn amount(text: &str, unit: Unit) -> Option<String> {
    let text = without_separators(&half_width(text))?;
    // `1000.00` is surely no number of fen, whatever its decimals are.
    if unit == Unit::Fen && text.contains('.') {
        return None;
    }
    let places = unit.decimals();
    let fen = move_point(&text, places, places)?;
    is_digits(fen.strip_prefix('-').unwrap_or(&fen)).then_some(fen)
}

/// A number with its point moved to the right. `None` if it is no number, or has more than `most` decimals.
fn move_point(text: &str, places: usize, most: usize) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    // Zeros behind the last decimal add nothing.
    let part = if is_digits(part) { part.trim_end_matches('0') } else { return None };
    if !is_digits(whole) || part.len() > most {
        return None;
    }
    let (moved, rest) = part.split_at(part.len().min(places));
    let padding = "0".repeat(places - moved.len());
    let whole = format!("{whole}{moved}{padding}");
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if whole == "0" && rest.is_empty() { "" } else { sign };
    Some(if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") })
}

/// The numbers of a date, such as `2026/3/31`, `2026.3.31`, `2026年3月31日` or `20260331`.
fn date_parts(text: &str) -> Option<Vec<String>> {
    if is_digits(text) && matches!(text.len(), 6 | 8) {
        let parts = [text.get(..4), text.get(4..6), text.get(6..)];
        return Some(parts.into_iter().flatten().filter(|part| !part.is_empty()).map(str::to_owned).collect());
    }
    let text = text.strip_suffix(['日', '号']).unwrap_or(text);
    let text = text.strip_suffix("月份").or_else(|| text.strip_suffix('月')).unwrap_or(text);
    let parts: Vec<String> = text.split(['年', '月', '/', '-', '.']).map(str::to_owned).collect();
    let fits = |nth: usize, part: &String| {
        is_digits(part) && if nth == 0 { part.len() == 4 } else { matches!(part.len(), 1 | 2) }
    };
    parts.iter().enumerate().all(|(nth, part)| fits(nth, part)).then_some(parts)
}

/// A day in the stored form. A time of midnight, which exports add, is dropped; any other time makes it none.
pub(super) fn day(text: &str) -> Option<String> {
    let text = without_midnight(text);
    match date_parts(&half_width(text))?.as_slice() {
        [year, month, day] => Some(format!("{year}-{month:0>2}-{day:0>2}")),
        _ => None,
    }
}

/// A month in the stored form. The first day of a month, as Excel stores months, is that month.
pub(super) fn month(text: &str) -> Option<String> {
    let text = without_midnight(text);
    match date_parts(&half_width(text))?.as_slice() {
        [year, month] => Some(format!("{year}-{month:0>2}")),
        [year, month, day] if day.trim_start_matches('0') == "1" => Some(format!("{year}-{month:0>2}")),
        _ => None,
    }
}

fn without_midnight(text: &str) -> &str {
    let Some((day, time)) = text.split_once([' ', 'T']) else { return text };
    let midnight = time.contains(':') && time.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.'));
    if midnight { day } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(found: Option<String>) -> String {
        found.unwrap_or_else(|| "none".to_owned())
    }

    #[test]
    fn days_and_months_are_read_as_people_write_them() {
        for written in [
            "2026/3/31",
            "2026-3-31",
            "2026.3.31",
            "2026年3月31日",
            "2026 年 03 月 31 日",
            "20260331",
            "２０２６／３／３１",
            "2026-03-31 00:00:00",
            "2026/3/31 0:00",
        ] {
            assert_eq!(text(day(written)), "2026-03-31", "{written}");
        }
        for written in ["3/31/2026", "26-3-31", "2026-3", "2026-03-31 14:30:00", "46112", "2026年", "昨天", "2026--1"]
        {
            assert_eq!(text(day(written)), "none", "{written}");
        }
        for written in ["2026-3", "2026/03", "2026年3月", "2026年3月份", "202603", "2026-03-01", "2026/3/1 0:00"] {
            assert_eq!(text(month(written)), "2026-03", "{written}");
        }
        for written in ["2026-03-31", "3", "2026", "3/2026"] {
            assert_eq!(text(month(written)), "none", "{written}");
        }
    }

    #[test]
    fn numbers_lose_their_separators_and_signs_of_hundredths() {
        for (written, stored) in [
            ("1,234.5", "1234.5"),
            ("-12,345,678", "-12345678"),
            ("１２．５", "12.5"),
            ("1，234", "1234"),
            ("85%", "0.85"),
            ("85.25％", "0.8525"),
            ("1,23", "none"),
            ("1,2345", "none"),
            ("12,34,567", "none"),
            ("1.00001", "none"),
            ("85.255%", "none"),
            ("1e5", "none"),
        ] {
            assert_eq!(text(number(written, None)), stored, "{written}");
        }
        assert_eq!(text(number("1.5", Some(Unit::TenThousandYuan))), "15000");
        assert_eq!(text(number("0.00000001", Some(Unit::TenThousandYuan))), "0.0001");
        assert_eq!(text(number("5%", Some(Unit::TenThousandYuan))), "none");
        assert_eq!(text(count("1,234")), "1234");
        assert_eq!(text(count("12.0")), "none");
    }

    #[test]
    fn amounts_become_fen_exactly() {
        for (written, unit, stored) in [
            ("1,234.56", Unit::Yuan, "123456"),
            ("1234.5", Unit::Yuan, "123450"),
            ("-0.01", Unit::Yuan, "-1"),
            ("0.001", Unit::Yuan, "none"),
            ("1.234500", Unit::TenThousandYuan, "1234500"),
            ("12.3456789", Unit::TenThousandYuan, "none"),
            ("-0", Unit::Yuan, "0"),
            ("0", Unit::TenThousandYuan, "0"),
            ("100", Unit::Fen, "100"),
            ("1,000", Unit::Fen, "1000"),
            ("1000.50", Unit::Fen, "none"),
            ("1000.00", Unit::Fen, "none"),
            ("1.", Unit::Yuan, "none"),
            ("1..2", Unit::Yuan, "none"),
            ("", Unit::Yuan, "none"),
        ] {
            assert_eq!(text(amount(written, unit)), stored, "{written} {unit:?}");
        }
    }
}
