//! The width of text on a terminal.

use crate::domain::printable::is_unprintable;

/// Characters of two columns: the wide and full-width blocks of Unicode's East Asian Width, as whole ranges.
const BROAD: [(u32, u32); 9] = [
    (0x1100, 0x115F),
    (0x2E80, 0x303E),
    (0x3041, 0xA4CF),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE6F),
    (0xFF00, 0xFF60),
    (0xFFE0, 0xFFE6),
    (0x1F300, 0x3FFFD),
];
/// Characters of no width: combining accents, joiners, direction marks.
const NONE: [(u32, u32); 4] = [(0x0300, 0x036F), (0x200B, 0x200F), (0x202A, 0x202E), (0xFE00, 0xFE0F)];

fn within(ranges: &[(u32, u32)], letter: char) -> bool {
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&u32::from(letter)))
}

/// The width of a text in columns.
pub(in crate::cli) fn width(text: &str) -> usize {
    text.chars()
        .map(|letter| match letter {
            _ if within(&NONE, letter) => 0,
            _ if within(&BROAD, letter) => 2,
            _ => 1,
        })
        .sum()
}

/// Removes from foreign text everything that could move a terminal's cursor or change its direction.
pub(in crate::cli::bank) fn clean(text: &str) -> String {
    text.chars().filter(|letter| !is_unprintable(*letter) && !within(&NONE, *letter)).collect()
}

/// Pads a text with spaces at its right, or at its left.
pub(in crate::cli) fn pad(text: &str, columns: usize, left: bool) -> String {
    let space = " ".repeat(columns.saturating_sub(width(text)));
    if left { format!("{space}{text}") } else { format!("{text}{space}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chinese_character_is_two_columns_broad() {
        for (text, columns) in [("abc", 3), ("合成医院", 8), ("优秀 A", 6), ("（全角）", 8), ("e\u{301}", 1), ("", 0)]
        {
            assert_eq!(width(text), columns, "{text}");
        }
        assert_eq!(pad("优", 4, true), "  优");
        assert_eq!(pad("优", 4, false), "优  ");
    }

    #[test]
    fn nothing_that_moves_a_cursor_is_left() {
        assert_eq!(clean("a\u{1b}[2Jb\r\n\u{202e}c\u{9b}"), "a[2Jbc");
    }
}
