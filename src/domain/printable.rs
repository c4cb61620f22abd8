//! Free texts of others: what must not be in them, and what spreadsheets must not evaluate.

use std::{borrow::Cow, fmt::Write as _};

use super::{Failure, Malformed};

/// Whether a character cannot be seen, or changes how the text around it is seen: control characters, line separators,
/// zero-width characters and marks of direction. Two texts that differ in them only look the same, and in a log or on a
/// terminal they can show something that was never written.
///
/// Variation selectors are not among them: names of persons need them.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The first unprintable character of a text.
pub fn first_unprintable(text: &str) -> Option<char> {
    // Most texts are ASCII, which needs no decoding.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    text.chars().find(|c| is_unprintable(*c))
}

/// The greatest length of a reason that somebody gives for an act, in characters.
pub const LONGEST_REASON: usize = 500;

/// Checks a free text: 1 to `most` characters, not all of them spaces, and every one printable.
pub fn check_text(text: &str, most: usize) -> Result<(), Malformed> {
    let found = first_unprintable(text);
    if found.is_none() && !text.trim().is_empty() && text.chars().count() <= most {
        return Ok(());
    }
    let found = found.map(|c| format!(": found U+{:04X}", u32::from(c))).unwrap_or_default();
    Err(Malformed(format!("Use 1 to {most} characters, none of them a control, zero-width or direction mark{found}.")))
}

/// Checks the reason of an act, where one is given.
pub fn check_reason(reason: Option<&str>) -> Result<(), Failure> {
    let checked = reason.map_or(Ok(()), |reason| check_text(reason, LONGEST_REASON));
    checked.map_err(|error| Failure::invalid("reason", "invalid_request", error.0))
}

/// A text to show to a person: every unprintable character is written as its number, `<U+202E>`. Texts that were stored
/// before such characters were refused can have them.
pub fn visible(text: &str) -> Cow<'_, str> {
    if first_unprintable(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unprintable(c) {
            // Infallible: writing to a String.
            let _ = write!(shown, "<U+{:04X}>", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// A text as a cell of a CSV file that a spreadsheet does not evaluate: what it would take for a formula gets an apostrophe
/// in front. Only for texts: a negative number is no formula.
pub fn without_formula(text: &str) -> Cow<'_, str> {
    // The full-width signs are formulas in Chinese editions; tabs and line breaks are skipped before a formula.
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_unprintable() {
        for c in "\0\n\t\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{200b}\u{200d}\u{200f}\u{2028}\u{202e}\u{2060}\u{2066}\u{2069}\u{3164}\u{feff}\u{e0041}"
            .chars()
        {
            assert!(is_unprintable(c), "{c:?}");
            assert_eq!(first_unprintable(&format!("医a{c}b")), Some(c));
        }
        for text in ["", "Loan A-1", "医保信用贷（二期）", "𠮷野家", "葛\u{e0100}城", "é"] {
            assert_eq!(first_unprintable(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_printable_text_has_a_length_and_something_to_see() {
        assert!(check_text("贷款", 2).is_ok());
        for text in ["", " ", "\u{3000}", "三个字", "a\u{202e}"] {
            assert!(check_text(text, 2).is_err(), "{text:?}");
        }
        assert!(check_text("a\u{202e}", 9).unwrap_err().0.ends_with("found U+202E."));
        assert!(check_reason(None).is_ok() && check_reason(Some("on paper")).is_ok());
        assert_eq!(check_reason(Some("a\nb")).unwrap_err().code, "invalid_request");
    }

    #[test]
    fn what_cannot_be_seen_is_shown_by_its_number() {
        assert_eq!(visible("贷款"), "贷款");
        assert_eq!(visible("a\u{202e}b\u{1b}[2J"), "a<U+202E>b<U+001B>[2J");
    }

    #[test]
    fn formulas_become_texts() {
        for text in ["=HYPERLINK(\"x\")", "+1", "-1", "@a", "\t=1", "＝1"] {
            assert_eq!(without_formula(text), format!("'{text}"));
        }
        for text in ["", "鹿城区", "a=b", "'=1", "plain, with \"quotes\""] {
            assert_eq!(without_formula(text), text);
        }
    }
}
