//! Days and numbers of Parquet as text, as they are written in CSV.

use std::fmt::Write;

use super::{super::findings::Code, Fault};
use crate::domain::Day;

/// Writes a day, counted from 1970-01-01.
pub(super) fn day(days: i64, out: &mut String) -> Result<(), Fault> {
    let epoch = Day::new(1970, 1, 1).map_err(|_| (Code::DateMalformed, "is not a day"))?;
    // Years of four digits, as in a text.
    if !(-719_162..=2_932_896).contains(&days) {
        return Err((Code::DateMalformed, "is not a day of the years 1 to 9999"));
    }
    let date = epoch.plus_days(days).date();
    digits(date.year().unsigned_abs().into(), 4, out);
    out.push('-');
    digits(u8::from(date.month()).into(), 2, out);
    out.push('-');
    digits(date.day().into(), 2, out);
    Ok(())
}

/// Writes a number with so many digits at least. Every row has some, so the formatter of the standard library, which takes ten
/// times as long, is not used.
pub(super) fn digits(mut value: u64, least: usize, out: &mut String) {
    let mut text = [b'0'; 20];
    let mut start = text.len();
    for place in text.iter_mut().rev() {
        if value == 0 {
            break;
        }
        // A digit is less than ten.
        *place += u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        start -= 1;
    }
    let start = start.min(text.len().saturating_sub(least));
    out.extend(text.iter().skip(start).copied().map(char::from));
}

/// A big-endian integer in two's complement; `None` if it needs more than sixteen bytes.
pub(super) fn big_endian(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first()? & 0x80 != 0;
    let fill = if negative { 0xff } else { 0 };
    let start = bytes.len().saturating_sub(16);
    let (beyond, bytes) = bytes.split_at(start);
    let mut wide = [fill; 16];
    wide.get_mut(16 - bytes.len()..)?.copy_from_slice(bytes);
    let value = i128::from_be_bytes(wide);
    (beyond.iter().all(|byte| *byte == fill) && (value < 0) == negative).then_some(value)
}

/// Writes a number of so many ten-fold parts.
pub(super) fn decimal(value: i128, scale: u32, out: &mut String) -> Result<(), Fault> {
    // A file may state any scale.
    let unit = 10u128.checked_pow(scale).ok_or((Code::ValueMalformed, "has too many decimals"))?;
    let width = usize::try_from(scale).unwrap_or(0);
    let magnitude = value.unsigned_abs();
    out.push_str(if value < 0 { "-" } else { "" });
    // Numbers of 128 bits are divided and formatted slowly, and hardly any value needs more than 64.
    if let (Ok(magnitude), Ok(unit)) = (u64::try_from(magnitude), u64::try_from(unit)) {
        digits(magnitude / unit, 1, out);
        if scale > 0 {
            out.push('.');
            digits(magnitude % unit, width, out);
        }
        return Ok(());
    }
    let (whole, part) = (magnitude / unit, magnitude % unit);
    let _ = if scale == 0 { write!(out, "{whole}") } else { write!(out, "{whole}.{part:0width$}") };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::big_endian;

    #[test]
    fn decimals_in_bytes_are_twos_complement() {
        assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(big_endian(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]), Some(7));
        assert_eq!(big_endian(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]), None);
        assert_eq!(big_endian(&[]), None);
        // Seventeen bytes whose lower sixteen look negative.
        assert_eq!(big_endian(&[0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
