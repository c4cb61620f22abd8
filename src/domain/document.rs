//! The number of a document (文号), compared without differences of writing.

use std::borrow::Cow;

/// The document that a reference names, in the form in which references are compared: `温医保罚〔2026〕12号` and
/// `温医保罚[２０２６] 12 号` are one. Letters are capitals, brackets are round, and there are no spaces. Empty for a reference
/// that names nothing.
pub fn document_of(reference: &str) -> Cow<'_, str> {
    // Most references are in this form already, and files have millions of them.
    if reference.chars().all(|one| normalised(one) == Some(one)) {
        return Cow::Borrowed(reference);
    }
    Cow::Owned(reference.chars().filter_map(normalised).collect())
}

/// A character of a document's number in its normal form; `None` if it does not count.
fn normalised(one: char) -> Option<char> {
    let narrow = match one {
        // The full-width forms of ASCII, in the same order.
        '\u{FF01}'..='\u{FF5E}' => u32::from(one).checked_sub(0xFEE0).and_then(char::from_u32)?,
        _ => one,
    };
    match narrow {
        _ if narrow.is_whitespace() => None,
        '[' | '{' | '〔' | '【' | '〖' | '「' | '⟨' | '〈' => Some('('),
        ']' | '}' | '〕' | '】' | '〗' | '」' | '⟩' | '〉' => Some(')'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        _ => Some(narrow.to_ascii_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_document_has_one_form_however_it_is_written() {
        for written in [
            "温医保罚〔2026〕12号",
            "温医保罚[2026]12号",
            "温医保罚（2026）12号",
            "温医保罚(2026) 12号",
            "温医保罚【２０２６】１２号",
            " 温医保罚\u{3000}［2026］12 号\u{A0}",
        ] {
            assert_eq!(document_of(written), "温医保罚(2026)12号", "{written}");
        }
        assert_eq!(document_of("pen—2026－ａ1"), "PEN-2026-A1");
        assert_eq!(document_of(" \u{3000}"), "");
    }

    #[test]
    fn different_documents_stay_different() {
        let documents = ["罚〔2026〕12号", "罚〔2026〕1号", "罚〔2025〕12号", "罚2026-12号", "罚〔2026〕12号-1"];
        let distinct: std::collections::BTreeSet<_> = documents.iter().map(|one| document_of(one)).collect();
        assert_eq!(distinct.len(), documents.len());
    }

    #[test]
    fn a_normal_form_is_borrowed() {
        assert!(matches!(document_of("PEN-2026-(1)"), Cow::Borrowed(_)));
    }
}
