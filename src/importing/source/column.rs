//! The values of a Parquet column as text: which Parquet types a template's column may have, and how their values are
//! written in CSV.

use std::fmt::Write;

use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type},
    schema::types::ColumnDescriptor,
};

use super::super::{findings::Code, template::ColumnType};
use crate::domain::Day;

/// Longest text that is copied. No field is as long.
const MAX_TEXT_BYTES: usize = 4096;

/// Most decimals of a value.
const MAX_SCALE: u32 = 4;

/// Why a value has no text.
pub(super) type Fault = (Code, &'static str);

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
    /// Days since 1970.
    Date,
    /// A timestamp since 1970, in units of which a day has `units_a_day`.
    Midnight {
        units_a_day: i64,
    },
}

impl ValueFormat {
    /// The conversion of a Parquet column to a type of the template, or why there is none.
    pub(super) fn of(column_type: ColumnType, column: &ColumnDescriptor) -> Result<Self, String> {
        if column.max_rep_level() > 0 || column.path().parts().len() > 1 {
            return Err("is a list or a structure".into());
        }
        let format = Self::of_parquet(column)?;
        let fits = match (column_type, format) {
            (_, Self::Text)
            | (ColumnType::Day, Self::Date | Self::Midnight { .. })
            | (ColumnType::Flag, Self::Boolean | Self::Integer { .. })
            | (ColumnType::Integer, Self::Integer { .. } | Self::Decimal { scale: 0 })
            | (ColumnType::Number, Self::Integer { .. }) => true,
            (ColumnType::Number, Self::Decimal { scale }) => scale <= MAX_SCALE,
            _ => false,
        };
        if fits { Ok(format) } else { Err(wrong_type(column)) }
    }

    fn of_parquet(column: &ColumnDescriptor) -> Result<Self, String> {
        use ConvertedType as Converted;
        let kind = (column.physical_type(), column.converted_type(), column.logical_type_ref());
        Ok(match kind {
            (Type::BYTE_ARRAY, Converted::UTF8 | Converted::ENUM | Converted::JSON, _)
            | (Type::BYTE_ARRAY, Converted::NONE, None | Some(LogicalType::String)) => Self::Text,
            (Type::BOOLEAN, ..) => Self::Boolean,
            (Type::INT32, Converted::DATE, _) => Self::Date,
            (Type::INT64, _, Some(LogicalType::Timestamp(stamp))) if !stamp.is_adjusted_to_u_t_c => {
                let units_a_second = match stamp.unit {
                    TimeUnit::MILLIS => 1_000,
                    TimeUnit::MICROS => 1_000_000,
                    TimeUnit::NANOS => 1_000_000_000,
                };
                Self::Midnight { units_a_day: 86_400 * units_a_second }
            }
            (Type::INT32 | Type::INT64 | Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY, Converted::DECIMAL, _) => {
                let scale = u32::try_from(column.type_scale()).map_err(|_| wrong_type(column))?;
                Self::Decimal { scale }
            }
            (Type::INT32 | Type::INT64, Converted::UINT_8 | Converted::UINT_16 | Converted::UINT_32, _)
            | (Type::INT64, Converted::UINT_64, _) => Self::Integer { signed: false },
            (
                Type::INT32 | Type::INT64,
                Converted::INT_8 | Converted::INT_16 | Converted::INT_32 | Converted::INT_64,
                _,
            )
            | (Type::INT32 | Type::INT64, Converted::NONE, None) => Self::Integer { signed: true },
            _ => return Err(wrong_type(column)),
        })
    }

    pub(super) fn boolean(value: bool, out: &mut String) {
        out.push(if value { '1' } else { '0' });
    }

    /// Writes a value that Parquet stores as a number.
    pub(super) fn number(self, value: i64, out: &mut String) -> Result<(), Fault> {
        match self {
            Self::Integer { signed: false } => {
                let _ = write!(out, "{}", value.cast_unsigned());
            }
            Self::Integer { signed: true } => {
                let _ = write!(out, "{value}");
            }
            Self::Decimal { scale } => decimal(i128::from(value), scale, out)?,
            Self::Date => day(value, out)?,
            Self::Midnight { units_a_day } if value % units_a_day == 0 => day(value / units_a_day, out)?,
            Self::Midnight { .. } => return Err((Code::DateMalformed, "is a time and not a day")),
            Self::Text | Self::Boolean => return Err((Code::ValueMalformed, "is not a number")),
        }
        Ok(())
    }

    /// Writes a value that Parquet stores as bytes.
    pub(super) fn bytes(self, value: &[u8], out: &mut String) -> Result<(), Fault> {
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

/// Names the type of a column and says what to do about it.
fn wrong_type(column: &ColumnDescriptor) -> String {
    let physical = column.physical_type();
    let advice = match physical {
        Type::FLOAT | Type::DOUBLE => ": a floating-point number is not exact; write a decimal, an integer or a text",
        Type::INT96 => ": write a date or a text",
        _ => "",
    };
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(stamp)), _) if stamp.is_adjusted_to_u_t_c => {
            "is an instant in UTC, which is not a day of the city: write a date or a text".into()
        }
        _ if column.converted_type() == ConvertedType::DECIMAL => {
            format!(
                "is a DECIMAL of {} decimals: amounts and counts have none, a value has up to {MAX_SCALE}",
                column.type_scale()
            )
        }
        (Some(logical), _) => format!("is {physical} ({logical:?}){advice}"),
        (None, ConvertedType::NONE) => format!("is {physical}{advice}"),
        (None, converted) => format!("is {physical} ({converted}){advice}"),
    }
}

fn day(days: i64, out: &mut String) -> Result<(), Fault> {
    let epoch = Day::new(1970, 1, 1).map_err(|_| (Code::DateMalformed, "is not a day"))?;
    // Years of four digits, as in a text.
    if !(-719_162..=2_932_896).contains(&days) {
        return Err((Code::DateMalformed, "is not a day of the years 1 to 9999"));
    }
    let _ = write!(out, "{}", epoch.plus_days(days));
    Ok(())
}

/// A big-endian integer in two's complement; `None` if it needs more than sixteen bytes.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first()? & 0x80 != 0;
    let fill = if negative { 0xff } else { 0 };
    let start = bytes.len().saturating_sub(16);
    let (beyond, bytes) = bytes.split_at(start);
    let mut wide = [fill; 16];
    wide.get_mut(16 - bytes.len()..)?.copy_from_slice(bytes);
    let value = i128::from_be_bytes(wide);
    (beyond.iter().all(|byte| *byte == fill) && (value < 0) == negative).then_some(value)
}

fn decimal(value: i128, scale: u32, out: &mut String) -> Result<(), Fault> {
    // A file may state any scale.
    let unit = 10u128.checked_pow(scale).ok_or((Code::ValueMalformed, "has too many decimals"))?;
    let (whole, part) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let sign = if value < 0 { "-" } else { "" };
    let width = usize::try_from(scale).unwrap_or(0);
    let _ = if scale == 0 { write!(out, "{sign}{whole}") } else { write!(out, "{sign}{whole}.{part:0width$}") };
    Ok(())
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
        assert_eq!(text(ValueFormat::Midnight { units_a_day: 86_400_000 }, 86_400_000).unwrap(), "1970-01-02");
        assert_eq!(text(ValueFormat::Midnight { units_a_day: 86_400_000 }, 1).unwrap_err().0, Code::DateMalformed);
        assert_eq!(text(ValueFormat::Date, i64::MAX).unwrap_err().0, Code::DateMalformed);
    }

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
