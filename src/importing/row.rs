//! A row of a file: typed access to its fields, and the JSON that it is staged as.

use std::{fmt::Write, ops::Range, str::FromStr};

use super::{
    findings::{Code, Finding, Severity},
    layout::Layout,
    template::vocabulary::Word,
};
use crate::domain::{
    Day, Malformed, Month, ResidentId,
    names::{self, NameFault},
    printable::first_unprintable,
};

/// Ten trillion yuan. Greater amounts are mistakes, and with smaller ones the sums over a city fit into 64 bits.
const MAX_FEN: i64 = 1_000_000_000_000_000;

/// The longest value that a message repeats, in bytes.
const MOST_SHOWN: usize = 24;

/// Removes a value from a message if it may be somebody's name or number. Where the fields of a row are shifted, any
/// value may be in any column: only text that looks like a code, a word or a day of the templates is repeated.
fn without_personal(message: String, value: &str) -> String {
    // A resident identity number has 15 digits in its old form, and 17 or 18 in the present one.
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    if value.is_empty()
        || (value.len() <= MOST_SHOWN && digits < 15 && value.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return message;
    }
    message.replace(&format!("{value:?}"), "the value")
}

/// A row of the file. Each method below records a finding and returns `None` if the field is wrong. A checker reads all
/// its fields before it gives up, so that the report lists every fault of the row.
pub(super) struct Row<'a> {
    pub(super) line: u64,
    pub(super) record: &'a csv::StringRecord,
    pub(super) layout: &'a Layout,
    pub(super) findings: &'a mut Vec<Finding>,
    /// The city's day of the import.
    pub(super) today: Day,
}

impl<'a> Row<'a> {
    fn note(&mut self, column: usize, code: Code, severity: Severity, message: String) {
        let message = without_personal(message, self.raw(column));
        let column = self.layout.name(column);
        self.findings.push(Finding { line: self.line, column, code, severity, message });
    }

    /// Rejects the row. Returns `None`, for the caller to return.
    pub(super) fn reject<T>(&mut self, column: usize, code: Code, message: impl Into<String>) -> Option<T> {
        self.note(column, code, Severity::Reject, message.into());
        None
    }

    /// Adds a warning about a row that is accepted all the same.
    pub(super) fn warn(&mut self, column: usize, code: Code, message: impl Into<String>) {
        self.note(column, code, Severity::Warning, message.into());
    }

    /// The field as it is in the file.
    pub(super) fn raw(&self, column: usize) -> &'a str {
        self.layout.position(column).and_then(|at| self.record.get(at)).unwrap_or_default()
    }

    /// A field that must not be empty.
    pub(super) fn required(&mut self, column: usize) -> Option<&'a str> {
        match self.raw(column) {
            "" => self.reject(column, Code::Empty, "must be filled"),
            text => Some(text),
        }
    }

    /// A text of at most `most` characters; it may be empty. It is stored in the clear, so it must have no resident
    /// identity number in it.
    pub(super) fn text(&mut self, column: usize, most: usize) -> Option<&'a str> {
        self.without_resident_number(column)?;
        self.sealed_text(column, most)
    }

    /// Rejects a field that has a resident identity number in it.
    pub(super) fn without_resident_number(&mut self, column: usize) -> Option<()> {
        if !ResidentId::is_in(self.raw(column)) {
            return Some(());
        }
        let message = "has a resident identity number in it, which only the column id_number of subjects may have";
        self.reject(column, Code::ResidentNumber, message)
    }

    /// The name of a person or an institution, at most `most` characters; it may be empty.
    pub(super) fn name(&mut self, column: usize, most: usize) -> Option<&'a str> {
        self.without_resident_number(column)?;
        let name = names::trimmed(self.raw(column));
        let number = |c: char| format!("U+{:04X}", u32::from(c));
        match names::fault(name) {
            None => {}
            Some(NameFault::Invisible(c)) => {
                let message = format!("contains {}, which cannot be seen", number(c));
                return self.reject(column, Code::ControlCharacter, message);
            }
            Some(NameFault::Lost(c)) => {
                let message = format!("contains {}: a character was lost when the file was written", number(c));
                return self.reject(column, Code::CharacterLost, message);
            }
            Some(NameFault::Masked) => return self.reject(column, Code::MaskedValue, "is masked: write it in full"),
        }
        self.at_most(column, name, most)
    }

    /// A name of at most `most` characters that must not be empty.
    pub(super) fn required_name(&mut self, column: usize, most: usize) -> Option<&'a str> {
        match self.name(column, most)? {
            "" => self.reject(column, Code::Empty, "must be filled"),
            name => Some(name),
        }
    }

    /// A text of at most `most` characters that is stored sealed; it may be empty.
    pub(super) fn sealed_text(&mut self, column: usize, most: usize) -> Option<&'a str> {
        let text = self.raw(column);
        if let Some(found) = first_unprintable(text) {
            let message = format!("contains U+{:04X}, a control, zero-width or direction character", u32::from(found));
            return self.reject(column, Code::ControlCharacter, message);
        }
        self.at_most(column, text, most)
    }

    fn at_most<'t>(&mut self, column: usize, text: &'t str, most: usize) -> Option<&'t str> {
        // The length in bytes first, because it is free: only long texts need their characters counted.
        if text.len() > most && text.chars().count() > most {
            return self.reject(column, Code::TooLong, format!("is longer than {most} characters"));
        }
        Some(text)
    }

    /// A text of at most `most` characters that must not be empty.
    pub(super) fn required_text(&mut self, column: usize, most: usize) -> Option<&'a str> {
        self.required(column)?;
        self.text(column, most)
    }

    /// A value of an enumeration.
    pub(super) fn word<T: FromStr<Err = Malformed>>(&mut self, column: usize) -> Option<T> {
        let text = self.required(column)?;
        text.parse().map_or_else(|error: Malformed| self.reject(column, Code::WordUnknown, error.0), Some)
    }

    /// One of `words`.
    pub(super) fn one_of(&mut self, column: usize, words: &[Word]) -> Option<&'static str> {
        let text = self.required(column)?;
        words.iter().find(|word| word.id == text).map(|word| word.id).or_else(|| {
            let known: Vec<_> = words.iter().map(|word| format!("{} ({})", word.id, word.zh)).collect();
            self.reject(column, Code::WordUnknown, format!("{text:?} is not one of {}", known.join(", ")))
        })
    }

    /// A day.
    pub(super) fn day(&mut self, column: usize) -> Option<Day> {
        let text = self.required(column)?;
        text.parse().map_or_else(|error: Malformed| self.reject(column, Code::DateMalformed, error.0), Some)
    }

    /// A day, or an empty field. The outer option is `None` when the field is malformed.
    #[expect(clippy::option_option, reason = "wrong, absent and present are three things")]
    pub(super) fn optional_day(&mut self, column: usize) -> Option<Option<Day>> {
        if self.raw(column).is_empty() { Some(None) } else { self.day(column).map(Some) }
    }

    /// A day that is not in the future.
    pub(super) fn past_day(&mut self, column: usize) -> Option<Day> {
        let day = self.day(column)?;
        self.must_have_come(column, day)
    }

    /// Rejects a day in the future.
    pub(super) fn must_have_come(&mut self, column: usize, day: Day) -> Option<Day> {
        if day > self.today {
            return self.reject(column, Code::DateInFuture, format!("{day} lies in the future"));
        }
        Some(day)
    }

    /// A month that is not in the future.
    pub(super) fn past_month(&mut self, column: usize) -> Option<Month> {
        let text = self.required(column)?;
        let month: Month =
            text.parse().map_or_else(|error: Malformed| self.reject(column, Code::MonthMalformed, error.0), Some)?;
        if month > self.today.month() {
            return self.reject(column, Code::MonthInFuture, format!("{month} lies in the future"));
        }
        Some(month)
    }

    /// An amount in fen; it may be negative.
    pub(super) fn amount(&mut self, column: usize) -> Option<i64> {
        let text = self.required(column)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = "is not a whole number of fen: 123.45 yuan is 12345";
            return self.reject(column, Code::AmountMalformed, message);
        }
        match text.parse::<i64>() {
            Ok(amount) if (-MAX_FEN..=MAX_FEN).contains(&amount) => Some(amount),
            _ => self.reject(column, Code::AmountTooLarge, "is beyond ten trillion yuan"),
        }
    }

    /// A count, zero or more.
    pub(super) fn count(&mut self, column: usize) -> Option<i64> {
        let text = self.required(column)?;
        // The parser also reads `+5`, which files may not have.
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<i64>() {
            Ok(count) if plain && count <= MAX_FEN => Some(count),
            _ => self.reject(column, Code::CountMalformed, "is not a whole number, zero or more"),
        }
    }
}

/// The rows of a batch as one growing JSON array of arrays.
#[derive(Debug, Default)]
pub(super) struct RowText {
    text: String,
}

impl RowText {
    /// Begins a row with its line and returns its start. [`RowText::end`] or [`RowText::discard`] must follow.
    pub(super) fn begin(&mut self, line: u64) -> usize {
        let start = self.text.len();
        // An array's elements are separated here, so that discarding a row removes its comma as well.
        self.text.push(if start == 0 { '[' } else { ',' });
        self.text.push('[');
        self.number(i64::try_from(line).unwrap_or(i64::MAX), false);
        start
    }

    /// Ends a row and returns the position of its JSON.
    pub(super) fn end(&mut self, start: usize) -> Range<usize> {
        self.text.push(']');
        start + 1..self.text.len()
    }

    /// Removes the row that begins at `start`.
    pub(super) fn discard(&mut self, start: usize) {
        self.text.truncate(start);
    }

    fn number(&mut self, number: i64, comma: bool) {
        if comma {
            self.text.push(',');
        }
        // Writing into a String cannot fail.
        let _ = write!(self.text, "{number}");
    }

    /// Adds a number.
    pub(super) fn push_number(&mut self, number: i64) {
        self.number(number, true);
    }

    /// Adds a value that needs no escaping: a code, a word, a day.
    pub(super) fn push_plain(&mut self, value: impl std::fmt::Display) -> Range<usize> {
        self.text.push_str(",\"");
        let start = self.text.len();
        let _ = write!(self.text, "{value}");
        let end = self.text.len();
        self.text.push('"');
        start..end
    }

    /// Adds a value that needs no escaping, or null.
    pub(super) fn push_plain_or_null(&mut self, value: Option<impl std::fmt::Display>) {
        match value {
            Some(value) => {
                self.push_plain(value);
            }
            None => self.text.push_str(",null"),
        }
    }

    /// Adds a text, escaped if necessary.
    pub(super) fn push_text(&mut self, text: &str) {
        self.text.push(',');
        if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
            self.text.push_str(&serde_json::Value::from(text).to_string());
        } else {
            self.text.push('"');
            self.text.push_str(text);
            self.text.push('"');
        }
    }

    /// The text at a position returned by [`RowText::end`] or [`RowText::push_plain`].
    pub(super) fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }
}
