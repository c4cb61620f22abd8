//! The values of cells as text, by the kind of their column: what a person would have written into a CSV file.

use calamine::{Data, ExcelDateTime, ExcelDateTimeType};

use super::super::{findings::Code, normalise::EXCEL_CHANGED, template::table::ValueKind};

/// From here on Excel does not keep every digit of a whole number.
const FIRST_INEXACT: f64 = 1e15;

/// The serial numbers of the days from 1954 to 2119. A number of them in a column of days is a day whose cell is not
/// formatted as one; it is no other way to write a day.
const DAY_SERIALS: std::ops::Range<f64> = 20_000.0..80_000.0;

/// A value of a cell that is not empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Number(f64),
    Boolean(bool),
    Moment(ExcelDateTime),
    /// An error of a formula, such as `#N/A`.
    Error(String),
}

/// Why a value must not be stored.
pub(super) type Fault = (Code, String);

impl Cell {
    /// The value of a cell; `None` if it is empty.
    pub(super) fn of(data: Data) -> Option<Self> {
        Some(match data {
            Data::Empty => return None,
            Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) if text.is_empty() => return None,
            Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => Self::Text(text),
            // Every whole number that Excel has is exact in this many digits.
            Data::Int(number) => Self::Text(number.to_string()),
            Data::Float(number) => Self::Number(number),
            Data::Bool(value) => Self::Boolean(value),
            Data::DateTime(moment) => Self::Moment(moment),
            Data::Error(error) => Self::Error(error.to_string()),
        })
    }

    /// Its text for a column of a kind, `None` being a column without a name; with what is wrong with it. `is_1904` is the
    /// workbook's system of days.
    pub(super) fn text(&self, kind: Option<ValueKind>, is_1904: bool) -> (String, Option<Fault>) {
        match self {
            Self::Text(text) => (text.clone(), None),
            Self::Boolean(value) if matches!(kind, Some(ValueKind::Word(_))) => (u8::from(*value).to_string(), None),
            Self::Boolean(value) => (if *value { "TRUE" } else { "FALSE" }.to_owned(), None),
            Self::Error(error) => {
                (error.clone(), Some((Code::CellError, format!("holds the Excel error {error}: enter the value"))))
            }
            Self::Number(number) => number_text(*number, kind, is_1904),
            Self::Moment(moment) => moment_text(moment, kind),
        }
    }
}

fn number_text(number: f64, kind: Option<ValueKind>, is_1904: bool) -> (String, Option<Fault>) {
    let shown = shown_number(number);
    let is_amount = matches!(kind, Some(ValueKind::Number | ValueKind::Count | ValueKind::Amount));
    match kind {
        Some(_) if !is_amount && number.abs() >= FIRST_INEXACT => {
            (shown, Some((Code::ExcelChanged, EXCEL_CHANGED.to_owned())))
        }
        Some(ValueKind::Day | ValueKind::Month) if number.fract() == 0.0 && DAY_SERIALS.contains(&number) => {
            (iso(&ExcelDateTime::new(number, ExcelDateTimeType::DateTime, is_1904)), None)
        }
        _ => (shown, None),
    }
}

fn moment_text(moment: &ExcelDateTime, kind: Option<ValueKind>) -> (String, Option<Fault>) {
    let text = if moment.is_duration() { shown_number(moment.as_f64()) } else { iso(moment) };
    match kind {
        Some(ValueKind::Day | ValueKind::Month) | None => (text, None),
        // Excel takes `3-1` for a date, and keeps nothing of what was typed.
        Some(_) => {
            let message = "Excel changed this value to a date: format the column as text, and enter it again";
            (text, Some((Code::ExcelChanged, message.to_owned())))
        }
    }
}

/// A moment as `2026-03-31`, with its time unless that is midnight.
fn iso(moment: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second, milli) == (0, 0, 0, 0) {
        date
    } else {
        format!("{date} {hour:02}:{minute:02}:{second:02}")
    }
}

/// A number as Excel shows it: fifteen significant digits, so that a sum of decimals is what it should be.
fn shown_number(number: f64) -> String {
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    // Without the sign of a negative zero.
    format!("{}", rounded + 0.0)
}

#[cfg(test)]
mod tests {
    use calamine::CellErrorType;

    use super::*;
    use crate::importing::template::vocabulary::MAIN;

    fn text(data: Data, kind: ValueKind) -> String {
        match Cell::of(data).unwrap().text(Some(kind), false) {
            (text, None) => text,
            (_, Some((code, _))) => format!("fault {code}"),
        }
    }

    fn moment(serial: f64) -> Data {
        Data::DateTime(ExcelDateTime::new(serial, ExcelDateTimeType::DateTime, false))
    }

    #[test]
    fn numbers_have_the_digits_that_excel_shows() {
        for (number, shown) in [
            (330_302.0, "330302"),
            (0.1 + 0.2, "0.3"),
            (-12.5, "-12.5"),
            (1e-7, "0.0000001"),
            (123_456_789_012_345.0, "123456789012345"),
            (-0.0, "0"),
        ] {
            assert_eq!(text(Data::Float(number), ValueKind::Number), shown);
        }
    }

    #[test]
    fn a_code_of_more_digits_than_excel_keeps_is_a_fault_and_an_amount_is_not() {
        let code = Data::Float(123_303_003_029_710_000.0);
        assert_eq!(text(code.clone(), ValueKind::Code), "fault excel_changed");
        assert_eq!(text(code.clone(), ValueKind::Text), "fault excel_changed");
        assert_eq!(text(code, ValueKind::Amount), "123303003029710000");
        assert_eq!(text(Data::Float(10_210_000_000_012.0), ValueKind::Code), "10210000000012");
    }

    #[test]
    fn days_are_dates_and_in_columns_of_days_also_their_serial_numbers() {
        assert_eq!(text(moment(46_112.0), ValueKind::Day), "2026-03-31");
        assert_eq!(text(moment(46_112.5), ValueKind::Day), "2026-03-31 12:00:00");
        assert_eq!(text(Data::Float(46_112.0), ValueKind::Day), "2026-03-31");
        assert_eq!(text(Data::Float(46_112.25), ValueKind::Day), "46112.25");
        assert_eq!(text(Data::Float(20_260_331.0), ValueKind::Day), "20260331");
        assert_eq!(text(Data::Float(202_603.0), ValueKind::Month), "202603");
        assert_eq!(text(Data::Float(46_112.0), ValueKind::Number), "46112");
        let in_1904 = Cell::Number(44_650.0).text(Some(ValueKind::Day), true);
        assert_eq!(in_1904.0, "2026-03-31");
    }

    #[test]
    fn a_date_in_another_column_and_an_error_are_faults() {
        assert_eq!(text(moment(46_112.0), ValueKind::Text), "fault excel_changed");
        assert_eq!(text(moment(46_112.0), ValueKind::Number), "fault excel_changed");
        assert_eq!(text(Data::Error(CellErrorType::NA), ValueKind::Text), "fault cell_error");
        assert_eq!(text(Data::Bool(true), ValueKind::Word(MAIN)), "1");
        assert_eq!(Cell::of(Data::String(String::new())), None);
    }
}
