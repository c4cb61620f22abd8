//! The stored form of one field, by the kind of its column.

use super::numbers::{amount, count, day, half_width_alphanumeric, month, number};
use crate::{
    domain::{ResidentId, Uscc},
    importing::{
        file_context::FileContext,
        findings::Code,
        heading::Unit,
        template::{
            table::{Column, ValueKind},
            vocabulary::stored,
        },
    },
};

/// Digits that Excel keeps of a number.
const EXCEL_DIGITS: usize = 15;

/// The fewest digits of a code that is recognised as changed by its zeros at the end alone.
const FEWEST_DIGITS: usize = 18;

/// What a message says about a number that Excel changed.
pub(in crate::importing) const EXCEL_CHANGED: &str =
    "Excel changed this number: format the column as text, and enter it again";

/// What the form of a field depends on.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) column: &'static Column,
    /// The unit that the header declares.
    pub(super) unit: Option<Unit>,
    pub(super) file: FileContext<'a>,
}

/// How a field relates to its stored form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It has that form, or is not understood: the checks of its column decide.
    Stored,
    Changed(String),
    Fault(Code, String),
}

/// The stored form of a field.
pub(super) fn form_of(text: &str, context: Context<'_>) -> Form {
    if text.is_empty() || is_stored_form(text, context) {
        return Form::Stored;
    }
    let trimmed = without_marks(text);
    if context.column.optional && is_none(trimmed) {
        return Form::Changed(String::new());
    }
    let changed = |found: Option<String>| found.unwrap_or_else(|| trimmed.to_owned());
    let new = match context.column.kind {
        ValueKind::Text => trimmed.to_owned(),
        ValueKind::Code => {
            let code = half_width_alphanumeric(trimmed);
            if was_changed_by_excel(&code, context.file) {
                return Form::Fault(Code::ExcelChanged, EXCEL_CHANGED.to_owned());
            }
            code
        }
        ValueKind::Measure => half_width_alphanumeric(trimmed),
        ValueKind::SubjectKind => {
            let mut kinds = context.file.references.kinds.iter();
            changed(kinds.find(|kind| kind.name == trimmed).map(|kind| kind.id.clone()))
        }
        ValueKind::Region => {
            let code = half_width_alphanumeric(trimmed);
            let named = context.file.references.regions.named(&code, context.file.today);
            named.map_or(code, |region| region.to_string())
        }
        ValueKind::Word(words) => {
            let word = half_width_alphanumeric(trimmed);
            stored(words, &word).map_or(word, str::to_owned)
        }
        ValueKind::Day => changed(day(trimmed)),
        ValueKind::Month => changed(month(trimmed)),
        ValueKind::Number => changed(number(trimmed, context.unit)),
        ValueKind::Count => changed(count(trimmed)),
        ValueKind::Amount => match amount(trimmed, context.unit.unwrap_or(Unit::Fen)) {
            Some(fen) => fen,
            None => match context.unit {
                Some(unit) if unit != Unit::Fen => {
                    let (unit, decimals) = (unit.as_str(), unit.decimals());
                    let message = format!("is not an amount in {unit} with at most {decimals} decimals");
                    return Form::Fault(Code::AmountMalformed, message);
                }
                _ => trimmed.to_owned(),
            },
        },
    };
    if new == text { Form::Stored } else { Form::Changed(new) }
}

/// Whether a field has surely the stored form, by a look at its bytes that is cheap enough for every row.
fn is_stored_form(text: &str, context: Context<'_>) -> bool {
    let bytes = text.as_bytes();
    let all = |fits: fn(u8) -> bool| bytes.iter().copied().all(fits);
    match context.column.kind {
        ValueKind::Day => bytes.len() == 10 && bytes.get(4) == Some(&b'-') && text.is_ascii(),
        ValueKind::Month => bytes.len() == 7 && bytes.get(4) == Some(&b'-') && text.is_ascii(),
        ValueKind::Count => all(|byte| byte.is_ascii_digit()),
        ValueKind::Amount => context.unit.is_none_or(|unit| unit == Unit::Fen) && all(|byte| byte.is_ascii_digit()),
        ValueKind::Number => context.unit.is_none() && all(|byte| byte.is_ascii_digit() || byte == b'.'),
        ValueKind::Code => {
            // Codes of eighteen digits may have been numbers, and are looked at again.
            all(|byte| byte.is_ascii_alphanumeric()) && (bytes.len() < FEWEST_DIGITS || !bytes.ends_with(b"000"))
        }
        ValueKind::SubjectKind | ValueKind::Region | ValueKind::Measure | ValueKind::Word(_) => {
            all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit()) && !is_none(text)
        }
        ValueKind::Text => is_plain_text(text, context.column.optional),
    }
}

/// Whether a text has neither spaces nor apostrophes around it, and does not stand for none. Cheap enough for every fact:
/// only bytes that a space or an apostrophe may have, full-width ones included, need a second look.
pub(in crate::importing) fn is_plain_text(text: &str, optional: bool) -> bool {
    let begins_plain = !matches!(
        text.as_bytes(),
        [0..=b' ' | b'\'' | 0xc2, ..]
            | [0xe1, 0x9a, ..]
            | [0xe2, 0x80 | 0x81, ..]
            | [0xe3, 0x80, 0x80, ..]
            | [0xef, 0xbc, 0x87, ..]
    );
    let ends_plain = !matches!(
        text.as_bytes(),
        [.., 0..=b' ' | b'\''] | [.., 0xc2, _] | [.., 0xe1..=0xe3, _, 0x80..=0x8a | 0x9f | 0xa8 | 0xa9 | 0xaf]
    );
    ((begins_plain && ends_plain) || without_marks(text) == text) && !(optional && is_none(text))
}

/// A text without the spaces around it, and without the apostrophe with which Excel marks texts.
fn without_marks(text: &str) -> &str {
    let is_mark = |c: char| matches!(c, '\'' | '＇');
    let text = text.trim();
    match text.strip_prefix(is_mark) {
        Some(rest) => rest.strip_suffix(is_mark).unwrap_or(rest).trim(),
        None => text,
    }
}

/// Whether a text stands for none.
fn is_none(text: &str) -> bool {
    matches!(text, "-" | "/" | "无" | "—" | "——" | "－" | "／")
}

/// Whether a code shows that Excel held it as a number: in scientific notation, or with zeros in the place of all digits
/// beyond the fifteenth. A file with types says itself what was a number.
fn was_changed_by_excel(code: &str, file: FileContext<'_>) -> bool {
    if is_scientific(code) {
        return true;
    }
    let changed = code.len() >= FEWEST_DIGITS
        && code.bytes().all(|byte| byte.is_ascii_digit())
        && code.bytes().skip(EXCEL_DIGITS).all(|byte| byte == b'0');
    // One number in a thousand ends in three zeros by itself: its check digits show it.
    let fits = |code| {
        Uscc::parse(code).is_ok_and(|uscc| uscc.mismatches().is_empty()) || ResidentId::parse(code, file.today).is_ok()
    };
    changed && !file.typed && !fits(code)
}

/// Whether a text is a number like `1.2E+17`. The plus sign distinguishes it from codes that contain the letter.
fn is_scientific(text: &str) -> bool {
    let Some((number, exponent)) = text.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    whole.len() == 1 && digits(whole) && digits(part) && exponent.strip_prefix('+').is_some_and(digits)
}

#[cfg(test)]
mod tests;
