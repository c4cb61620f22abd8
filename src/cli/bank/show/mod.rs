//! Tables and charts of the bank's commands, which account for the double width of Chinese characters.
//!
//! Everything printed came over the network: control characters never reach the terminal.

mod chart;
mod table;
pub(in crate::cli) mod width;

pub(super) use chart::bars;
pub(super) use table::{Align, Table};
pub(super) use width::clean;

use crate::domain::Fen;

/// Formats fen as yuan, exactly, with thousands separators: `1,234,567.89`.
pub(super) fn yuan(fen: Fen) -> String {
    let plain = fen.to_string();
    let (whole, cents) = plain.split_once('.').unwrap_or((&plain, "00"));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    format!("{sign}{}.{cents}", grouped(digits))
}

/// Formats a count with thousands separators.
pub(super) fn count(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(&number.unsigned_abs().to_string()))
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_exact_and_parted() {
        for (fen, text) in
            [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123_456_789, "1,234,567.89"), (100_000, "1,000.00")]
        {
            assert_eq!(yuan(Fen(fen)), text);
        }
        assert_eq!(count(-1234), "-1,234");
    }

    proptest! {
        #[test]
        fn no_fen_is_lost(fen in any::<i64>()) {
            let digits: String = yuan(Fen(fen)).chars().filter(|c| !matches!(c, ',' | '.')).collect();
            prop_assert_eq!(digits.parse::<i64>().unwrap(), fen);
        }
    }
}
