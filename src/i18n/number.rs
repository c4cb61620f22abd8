//! Numbers as people write them.

use std::fmt::Display;

/// A number with commas between thousands and without zeros at the end of its decimals: `1,234.5`, not `1234.500`.
pub fn number(of: impl Display) -> String {
    let text = of.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let (whole, decimals) = match digits.split_once('.') {
        Some((whole, decimals)) => (whole, decimals.trim_end_matches('0')),
        None => (digits, ""),
    };
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !decimals.is_empty() {
        out.push('.');
        out.push_str(decimals);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_and_zeros_at_the_end_left_out() {
        for (text, people) in [
            ("0", "0"),
            ("12.500", "12.5"),
            ("849.990", "849.99"),
            ("1000.000", "1,000"),
            ("999", "999"),
            ("1234", "1,234"),
            ("-1234567.25", "-1,234,567.25"),
            ("-0.05", "-0.05"),
            ("100000", "100,000"),
        ] {
            assert_eq!(number(text), people);
        }
    }
}
