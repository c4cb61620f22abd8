//! The values of a Parquet column as text: which Parquet types a template's column may have, and how their values are
//! written in CSV.

use std::fmt::{Display, Write};

use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type},
    schema::types::ColumnDescriptor,
};

use super::{
    super::{findings::Code, template::ColumnType},
    Fault,
    value_text::{big_endian, day, decimal, digits},
};

/// Longest text that is copied. No field is as long.
pub(super) const MAX_TEXT_BYTES: usize = 4096;

/// Most decimals of a value.
const MAX_SCALE: u32 = 4;
const MAX_DECIMALS: usize = 4;

/// The Julian day number of 1970-01-01.
const JULIAN_EPOCH: i64 = 2_440_588;

/// The faults of a value.
const NOT_NULL: Fault = (Code::ValueMalformed, "is a value in a column of nulls");
const NOT_MIDNIGHT: &str = "is a time and not a day: write a date, or midnight of UTC+8";

/// How the values of a column are converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueFormat {
    Text,
    Boolean,
    Integer {
        signed: bool,
    },
    Decimal {
        scale: u32,
    },
    /// Binary floating point. A value is read as its shortest decimal form, which must have few decimals.
    Float,
    /// Days since 1970.
    Date,
    /// A timestamp since 1970, in units of which a day has `units_a_day`.
    Midnight {
        units_a_day: i64,
        zone: Zone,
    },
    /// Nanoseconds of a Julian day in twelve bytes, an instant: as Spark writes timestamps.
    JulianMidnight,
    /// No value at all: whatever type a program gives to a column of nulls.
    Null,
}

/// What the midnight of a timestamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// The clock on a wall: its own midnight.
    Local,
    /// An instant: midnight of UTC+8, the whole country's.
    Instant,
    /// The file does not say which: either midnight, which no value can be at the same time.
    Either,
}

/// Hours by which the day of UTC+8 begins before that of UTC.
const EAST_HOURS: i64 = 8;

impl ValueFormat {
    /// The conversion of a Parquet column to a type of the template, or why there is none.
    pub(super) fn of(column_type: ColumnType, column: &ColumnDescriptor) -> Result<Self, String> {
        if column.max_rep_level() > 0 || column.path().parts().len() > 1 {
            return Err("is a list or a structure".into());
        }
        let format = Self::of_parquet(column).ok_or_else(|| wrong_type(column_type, column))?;
        let fits = match (column_type, format) {
            (_, Self::Text | Self::Null)
            | (ColumnType::Day, Self::Date | Self::Midnight { .. } | Self::JulianMidnight)
            | (ColumnType::Flag, Self::Boolean | Self::Integer { .. } | Self::Float)
            | (ColumnType::Integer, Self::Integer { .. } | Self::Decimal { scale: 0 } | Self::Float)
            | (ColumnType::Number, Self::Integer { .. } | Self::Float) => true,
            (ColumnType::Number, Self::Decimal { scale }) => scale <= MAX_SCALE,
            _ => false,
        };
        if fits { Ok(format) } else { Err(wrong_type(column_type, column)) }
    }

    fn of_parquet(column: &ColumnDescriptor) -> Option<Self> {
        use ConvertedType as Converted;
        let kind = (column.physical_type(), column.converted_type(), column.logical_type_ref());
        Some(match kind {
            (_, _, Some(LogicalType::Unknown)) => Self::Null,
            (Type::BYTE_ARRAY, Converted::UTF8 | Converted::ENUM | Converted::JSON, _)
            | (Type::BYTE_ARRAY, Converted::NONE, None | Some(LogicalType::String)) => Self::Text,
            (Type::BOOLEAN, ..) => Self::Boolean,
            (Type::FLOAT | Type::DOUBLE, ..) => Self::Float,
            (Type::INT32, Converted::DATE, _) => Self::Date,
            (Type::INT64, _, Some(LogicalType::Timestamp(stamp))) => {
                let zone = if stamp.is_adjusted_to_u_t_c { Zone::Instant } else { Zone::Local };
                Self::Midnight { units_a_day: units_a_day(stamp.unit), zone }
            }
            // Written before the format could say whether it is an instant.
            (Type::INT64, Converted::TIMESTAMP_MILLIS, None) => {
                Self::Midnight { units_a_day: units_a_day(TimeUnit::MILLIS), zone: Zone::Either }
            }
            (Type::INT64, Converted::TIMESTAMP_MICROS, None) => {
                Self::Midnight { units_a_day: units_a_day(TimeUnit::MICROS), zone: Zone::Either }
            }
            (Type::INT96, ..) => Self::JulianMidnight,
            (Type::INT32 | Type::INT64 | Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY, Converted::DECIMAL, _) => {
                Self::Decimal { scale: u32::try_from(column.type_scale()).ok()? }
            }
            (Type::INT32 | Type::INT64, Converted::UINT_8 | Converted::UINT_16 | Converted::UINT_32, _)
            | (Type::INT64, Converted::UINT_64, _) => Self::Integer { signed: false },
            (
                Type::INT32 | Type::INT64,
                Converted::INT_8 | Converted::INT_16 | Converted::INT_32 | Converted::INT_64,
                _,
            )
            | (Type::INT32 | Type::INT64, Converted::NONE, None) => Self::Integer { signed: true },
            _ => return None,
        })
    }

    pub(super) fn boolean(self, value: bool, out: &mut String) -> Result<(), Fault> {
        if self == Self::Null {
            return Err(NOT_NULL);
        }
        out.push(if value { '1' } else { '0' });
        Ok(())
    }

    /// Writes a value that Parquet stores as a number.
    pub(super) fn number(self, value: i64, out: &mut String) -> Result<(), Fault> {
        match self {
            Self::Integer { signed: false } => digits(value.cast_unsigned(), 1, out),
            Self::Integer { signed: true } => {
                out.push_str(if value < 0 { "-" } else { "" });
                digits(value.unsigned_abs(), 1, out);
            }
            Self::Decimal { scale } => decimal(i128::from(value), scale, out)?,
            Self::Date => day(value, out)?,
            Self::Midnight { units_a_day, zone } => midnight(value, units_a_day, zone, out)?,
            Self::Null => return Err(NOT_NULL),
            Self::Text | Self::Boolean | Self::Float | Self::JulianMidnight => {
                return Err((Code::ValueMalformed, "is not a number"));
            }
        }
        Ok(())
    }

    /// Writes a floating-point number as the shortest decimal that is read as the same number: so 0.1 is read as it was
    /// meant, although no floating-point number is exactly that.
    pub(super) fn double(self, value: f64, out: &mut String) -> Result<(), Fault> {
        // Below the first bound the numbers are closer to each other than decimals of four places are, and below the
        // second one they are closer than whole numbers.
        self.float(value, value, [9e11, 9_007_199_254_740_992.0], out)
    }

    /// The same for a number of single precision.
    pub(super) fn single(self, value: f32, out: &mut String) -> Result<(), Fault> {
        self.float(value.into(), value, [1_000.0, 16_777_216.0], out)
    }

    fn float(self, value: f64, shortest: impl Display, bounds: [f64; 2], out: &mut String) -> Result<(), Fault> {
        if self == Self::Null {
            return Err(NOT_NULL);
        }
        let [of_decimals, of_whole] = bounds;
        let bound = if value.fract() == 0.0 { of_whole } else { of_decimals };
        if !value.is_finite() {
            return Err((Code::ValueMalformed, "is no number (NaN or infinity): leave the field empty"));
        }
        if value.abs() > bound {
            return Err((Code::ValueMalformed, "is larger than floating-point numbers are exact: write a decimal"));
        }
        let start = out.len();
        // The sign of negative zero would be written.
        let _ = if value == 0.0 { out.write_char('0') } else { write!(out, "{shortest}") };
        let decimals = out.get(start..).and_then(|text| text.split_once('.')).map_or(0, |(_, part)| part.len());
        if decimals > MAX_DECIMALS {
            out.truncate(start);
            return Err((Code::ValueMalformed, "has more than four decimals"));
        }
        Ok(())
    }

    /// Writes the day of nanoseconds and a Julian day.
    pub(super) fn julian(self, value: &[u32], out: &mut String) -> Result<(), Fault> {
        let [low, high, julian] = *value else { return Err((Code::DateMalformed, "is not a timestamp")) };
        if self == Self::Null {
            return Err(NOT_NULL);
        }
        let nanoseconds = u64::from(high) << 32 | u64::from(low);
        match i64::try_from(nanoseconds) {
            Ok(nanoseconds) if nanoseconds == (24 - EAST_HOURS) * 3_600_000_000_000 => {
                day(i64::from(julian) - JULIAN_EPOCH + 1, out)
            }
            _ => Err((Code::DateMalformed, NOT_MIDNIGHT)),
        }
    }

    /// Writes a value that Parquet stores as bytes.
    pub(super) fn bytes(self, value: &[u8], out: &mut String) -> Result<(), Fault> {
        if self == Self::Null {
            return Err(NOT_NULL);
        }
        if let Self::Decimal { scale } = self {
            return decimal(big_endian(value).ok_or((Code::ValueMalformed, "has too many digits"))?, scale, out);
        }
        // Before it is copied: a value may be as large as its page.
        if value.len() > MAX_TEXT_BYTES {
            return Err((Code::TooLong, "is longer than any field"));
        }
        out.push_str(std::str::from_utf8(value).map_err(|_| (Code::NotUtf8, "is not UTF-8"))?);
        Ok(())
    }
}

/// Names the type of a column and says what to write instead.
fn wrong_type(column_type: ColumnType, column: &ColumnDescriptor) -> String {
    let physical = column.physical_type();
    if column.converted_type() == ConvertedType::DECIMAL {
        let scale = column.type_scale();
        return format!(
            "is a DECIMAL of {scale} decimals: amounts and counts have none, a value has up to {MAX_SCALE}"
        );
    }
    let advice = match column_type {
        ColumnType::Text => "write it as text, because leading zeros count (a month as 2026-03)",
        ColumnType::Day => "write a date, midnight of UTC+8 or a text like 2026-03-31",
        ColumnType::Integer => "write an integer or a text",
        ColumnType::Number => "write a decimal of up to four places, a floating-point number or a text",
        ColumnType::Flag => "write a boolean, 0 or 1",
    };
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(logical), _) => format!("is {physical} ({logical:?}): {advice}"),
        (None, ConvertedType::NONE) => format!("is {physical}: {advice}"),
        (None, converted) => format!("is {physical} ({converted}): {advice}"),
    }
}

const fn units_a_day(unit: TimeUnit) -> i64 {
    86_400
        * match unit {
            TimeUnit::MILLIS => 1_000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        }
}

/// Writes the day of a timestamp that is midnight.
fn midnight(value: i64, units_a_day: i64, zone: Zone, out: &mut String) -> Result<(), Fault> {
    let (days, rest) = (value.div_euclid(units_a_day), value.rem_euclid(units_a_day));
    let east = rest == units_a_day / 24 * (24 - EAST_HOURS);
    match zone {
        Zone::Local | Zone::Either if rest == 0 => day(days, out),
        Zone::Instant | Zone::Either if east => day(days + 1, out),
        _ => Err((Code::DateMalformed, NOT_MIDNIGHT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_are_written_as_in_csv() {
        let text = |reading: ValueFormat, value: i64| {
            let mut out = String::new();
            reading.number(value, &mut out).map(|()| out)
        };
        assert_eq!(text(ValueFormat::Integer { signed: true }, -5).unwrap(), "-5");
        assert_eq!(text(ValueFormat::Integer { signed: false }, -1).unwrap(), "18446744073709551615");
        assert_eq!(text(ValueFormat::Decimal { scale: 4 }, -12_345).unwrap(), "-1.2345");
        assert_eq!(text(ValueFormat::Decimal { scale: 2 }, 5).unwrap(), "0.05");
        assert_eq!(text(ValueFormat::Date, 20_543).unwrap(), "2026-03-31");
        let stamp = |zone| ValueFormat::Midnight { units_a_day: 86_400_000, zone };
        let (utc, east) = (86_400_000, 86_400_000 - 8 * 3_600_000);
        assert_eq!(text(stamp(Zone::Local), utc).unwrap(), "1970-01-02");
        assert_eq!(text(stamp(Zone::Instant), east).unwrap(), "1970-01-02");
        assert_eq!(text(stamp(Zone::Instant), east - 86_400_000 * 2).unwrap(), "1969-12-31");
        assert_eq!([utc, east].map(|value| text(stamp(Zone::Either), value).unwrap()), ["1970-01-02"; 2]);
        for (zone, value) in [(Zone::Local, 1), (Zone::Local, east), (Zone::Instant, utc), (Zone::Either, 1)] {
            assert_eq!(text(stamp(zone), value).unwrap_err().0, Code::DateMalformed, "{zone:?} {value}");
        }
        assert_eq!(text(ValueFormat::Date, i64::MAX).unwrap_err().0, Code::DateMalformed);
    }

    #[test]
    fn a_floating_point_number_is_read_as_its_shortest_decimal_of_four_places() {
        let text = |value: f64| {
            let mut out = String::new();
            ValueFormat::Float.double(value, &mut out).map(|()| out)
        };
        for value in
            ["0.1", "0.3", "-1234567.0375", "99.9999", "0.0001", "123", "899999999999.1234", "-9007199254740991"]
        {
            assert_eq!(text(value.parse().unwrap()).unwrap(), value);
        }
        assert_eq!((text(-0.0).unwrap(), text(1e3).unwrap()), ("0".into(), "1000".into()));
        for value in [0.1 + 0.2, 1.0 / 3.0, 0.00001, f64::NAN, f64::INFINITY, 1e300, 1e13 + 0.5] {
            assert_eq!(text(value).unwrap_err().0, Code::ValueMalformed, "{value}");
        }
        let single = |value: f32| {
            let mut out = String::new();
            ValueFormat::Float.single(value, &mut out).map(|()| out)
        };
        assert_eq!(
            (single(0.1).unwrap(), single(999.25).unwrap(), single(1e6).unwrap()),
            ("0.1".into(), "999.25".into(), "1000000".into())
        );
        assert!(single(5000.1234).is_err() && single(1e9).is_err(), "single precision does not have these exactly");
    }

    #[test]
    fn twelve_bytes_of_spark_are_midnight_of_the_city() {
        let text = |value: [u32; 3]| {
            let mut out = String::new();
            ValueFormat::JulianMidnight.julian(&value, &mut out).map(|()| out)
        };
        let sixteen = 57_600_000_000_000u64;
        let parts = [u32::try_from(sixteen & 0xFFFF_FFFF).unwrap(), u32::try_from(sixteen >> 32).unwrap(), 2_440_587];
        assert_eq!(text(parts).unwrap(), "1970-01-01");
        assert_eq!(text([0, 0, 2_440_588]).unwrap_err().0, Code::DateMalformed);
    }
}
