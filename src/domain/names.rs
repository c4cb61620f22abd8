//! Names of persons and institutions as files have them: what is cleaned, what is refused, and what is compared.
//!
//! A name that looks like another but differs in characters that cannot be seen is not found again. So what cannot be
//! seen is removed at the edges and refused inside, and a search compares names without the differences that people
//! do not write on purpose.

use std::borrow::Cow;

use super::printable::is_unprintable;

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// A character inside that cannot be seen, or a space that is not an ordinary one.
    Invisible(char),
    /// A character that stands for one that was lost when the file was written: U+FFFD, a question mark, or one of a
    /// private-use area, which every system shows differently.
    Lost(char),
    /// A star, as in a masked name.
    Masked,
}

/// A name without the characters at its edges that cannot be seen: spaces of any width, zero-width characters, marks of
/// direction and byte order.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_unprintable(c))
}

/// The first fault of a name that was trimmed.
pub fn fault(name: &str) -> Option<NameFault> {
    name.chars().find_map(|c| match c {
        // At the edges too: the name would silently become another, shorter one.
        '\u{FFFD}' | '?' | '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}' => Some(NameFault::Lost(c)),
        '*' | '\u{FF0A}' => Some(NameFault::Masked),
        ' ' | '\u{3000}' => None,
        c if c.is_whitespace() || is_unprintable(c) => Some(NameFault::Invisible(c)),
        _ => None,
    })
}

/// A name as it is compared: trimmed, with no space beside a Chinese character, one space elsewhere, and one form of the
/// dot in names of minorities.
pub fn comparable(name: &str) -> Cow<'_, str> {
    let name = trimmed(name);
    if !name.chars().any(|c| c.is_whitespace() || is_unprintable(c) || is_dot(c)) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    let mut space = false;
    for c in name.chars().filter(|c| !is_unprintable(*c)) {
        if c.is_whitespace() {
            space = true;
            continue;
        }
        if std::mem::take(&mut space) && !is_chinese(c) && !out.chars().next_back().is_some_and(is_chinese) {
            out.push(' ');
        }
        out.push(if is_dot(c) { '\u{B7}' } else { c });
    }
    Cow::Owned(out)
}

const fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// The dots that keyboards write between the parts of a name. Not the ASCII one, which abbreviates.
const fn is_dot(c: char) -> bool {
    matches!(c, '\u{2022}' | '\u{2027}' | '\u{2219}' | '\u{22C5}' | '\u{30FB}' | '\u{FF65}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_seen_is_removed_at_the_edges_and_refused_inside() {
        for c in ['\u{200B}', '\u{FEFF}', '\u{202E}', '\u{A0}', '\u{2060}', '\u{2003}'] {
            let name = format!("{c}张{c}三{c} ");
            assert_eq!(trimmed(&name), format!("张{c}三"), "{c:?}");
            assert_eq!(fault(trimmed(&name)), Some(NameFault::Invisible(c)));
        }
        for (name, lost) in [("王\u{E01E}", '\u{E01E}'), ("张\u{FFFD}三", '\u{FFFD}'), ("??", '?'), ("张三?", '?')]
        {
            assert_eq!(fault(trimmed(name)), Some(NameFault::Lost(lost)), "{name:?}");
        }
        assert_eq!(fault("张**"), Some(NameFault::Masked));
        for name in
            ["张三", "张 三", "张\u{3000}三", "葛\u{E0100}城", "𠮷野家", "贝贝提·阿里", "John Smith", "□三", "é"]
        {
            assert_eq!(fault(name), None, "{name:?}");
        }
    }

    #[test]
    fn names_that_differ_in_spaces_and_dots_are_compared_as_one() {
        for name in ["张三", "张三 ", " 张三", "张\u{3000}三", "张\u{200B}三", "张三\u{A0}", "张 三"] {
            assert_eq!(comparable(name), "张三", "{name:?}");
        }
        for name in ["买买提\u{2022}阿里", "买买提\u{30FB}阿里", "买买提 \u{B7} 阿里"] {
            assert_eq!(comparable(name).replace(' ', ""), "买买提·阿里", "{name:?}");
        }
        assert_eq!(comparable("John   Smith"), "John Smith");
        assert_eq!(comparable("ABC  诊所"), "ABC诊所");
    }

    proptest! {
        #[test]
        fn a_compared_name_is_compared_as_itself(name in "\\PC{0,12}|[张三 \u{3000}a·]{0,8}") {
            let once = comparable(&name).into_owned();
            prop_assert_eq!(comparable(&once).into_owned(), once.clone());
        }
    }
}
