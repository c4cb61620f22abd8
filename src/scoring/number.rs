//! Exact numbers: decimals in ten-thousandths, points in thousandths, and fractions compared without rounding.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::money::MilliPoints;

/// Parses a decimal with at most `places` decimals as an integer of that many places. ASCII only, with an optional minus.
fn fixed(text: &str, places: usize) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = match digits.split_once('.') {
        // `5.` is refused: one number has one form.
        Some((_, "")) => return None,
        Some((whole, part)) => (whole, part),
        None => (digits, ""),
    };
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > places || !plain(whole) || !plain(part) {
        return None;
    }
    let padded = part.bytes().chain(std::iter::repeat_n(b'0', places - part.len()));
    let value = whole
        .bytes()
        .chain(padded)
        // A number beyond 64 bits is refused, never cut.
        .try_fold(0i64, |value, byte| value.checked_mul(10)?.checked_add(i64::from(byte - b'0')))?;
    // Infallible: the value is not negative, so its counterpart exists.
    Some(if negative { -value } else { value })
}

/// Writes an integer of `places` places without trailing zeros.
fn write_fixed(f: &mut fmt::Formatter<'_>, value: i64, places: u32) -> fmt::Result {
    let unit = 10u64.pow(places);
    // The least integer has no positive counterpart, so the absolute value is unsigned.
    let (whole, part) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let sign = if value < 0 { "-" } else { "" };
    if part == 0 {
        return write!(f, "{sign}{whole}");
    }
    let digits = format!("{part:0width$}", width = usize::try_from(places).unwrap_or(4));
    write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// Reads a decimal of a model from a whole number or a text. A TOML float is refused, because `0.1` as a float is no longer
/// exactly a tenth.
struct FixedVisitor {
    read: fn(&str) -> Option<i64>,
    unit: i64,
    expecting: &'static str,
}

impl de::Visitor<'_> for FixedVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<i64, E> {
        value.checked_mul(self.unit).ok_or_else(|| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<i64, E> {
        let signed = i64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))?;
        self.visit_i64(signed)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// A decimal with up to four places, stored as ten-thousandths. Also written as a percentage with up to two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(pub i64);

impl Decimal {
    /// Ten-thousandths in one.
    pub const ONE: i64 = 10_000;

    /// Parses `12`, `-0.05` or `5%`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            // A percentage of two places is a decimal of four: both are in ten-thousandths.
            Some(percent) => fixed(percent, 2).map(Self),
            None => fixed(text, 4).map(Self),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed(f, self.0, 4)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = FixedVisitor {
            read: |text| Self::parse(text).map(|decimal| decimal.0),
            unit: Self::ONE,
            expecting: "a whole number, or a decimal as text such as \"0.05\" or \"5%\"",
        };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

/// Points of a model, stored as thousandths. Negative points are deductions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Points(pub i64);

impl Points {
    /// The same as the points of the domain.
    pub const fn milli(self) -> MilliPoints {
        MilliPoints(self.0)
    }

    /// Whether they are zero.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
    pub(super) const fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed(f, self.0, 3)
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = FixedVisitor {
            read: |text| fixed(text, 3),
            unit: 1000,
            expecting: "whole points, or points as text such as \"7.5\"",
        };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

/// A fraction in lowest terms with a positive denominator. Never rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fraction {
    numerator: i128,
    denominator: i128,
}

impl Fraction {
    /// `numerator / denominator`; `None` where there is no such number, or one too large to hold.
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        // In lowest terms, so that equal values are equal texts and digests (I5).
        let divisor = gcd(numerator.unsigned_abs(), denominator.unsigned_abs());
        let divisor = i128::try_from(divisor).ok()?;
        let (numerator, denominator) = (numerator / divisor, denominator / divisor);
        if denominator > 0 {
            Some(Self { numerator, denominator })
        } else {
            // The least integer has no positive counterpart.
            Some(Self { numerator: numerator.checked_neg()?, denominator: denominator.checked_neg()? })
        }
    }

    /// A whole number.
    pub const fn whole(value: i64) -> Self {
        // A cast, because `From` is not const; it widens and loses nothing.
        Self { numerator: value as i128, denominator: 1 }
    }

    /// A decimal.
    pub fn of(decimal: Decimal) -> Self {
        // Infallible: the denominator is a constant above zero.
        Self::new(decimal.0.into(), Decimal::ONE.into()).unwrap_or(Self::whole(0))
    }

    /// `self / other`.
    pub fn over(self, other: Self) -> Option<Self> {
        Self::new(self.numerator.checked_mul(other.denominator)?, self.denominator.checked_mul(other.numerator)?)
    }

    /// `(self - base) / base`: growth from a positive base.
    pub fn growth_from(self, base: Self) -> Option<Self> {
        let ratio = self.over(base)?;
        Self::new(ratio.numerator.checked_sub(ratio.denominator)?, ratio.denominator)
    }

    /// Whether it is greater than zero.
    pub const fn is_positive(self) -> bool {
        self.numerator > 0
    }

    /// The numerator, in lowest terms.
    pub const fn numerator(self) -> i128 {
        self.numerator
    }

    /// The denominator, in lowest terms; positive.
    pub const fn denominator(self) -> i128 {
        self.denominator
    }

    /// The greatest decimal that is not above the value; the nearest bound where none is as large.
    pub fn rounded_down(self) -> Decimal {
        let (whole, rest) = (self.numerator.div_euclid(self.denominator), self.numerator.rem_euclid(self.denominator));
        // The rest is below the denominator: halving both until the product fits loses less than a ten-thousandth.
        let (mut rest, mut denominator) = (rest, self.denominator);
        while denominator > 1 << 100 {
            rest >>= 1;
            denominator >>= 1;
        }
        let one = i128::from(Decimal::ONE);
        let places = rest.saturating_mul(one).div_euclid(denominator.max(1));
        let value = whole.saturating_mul(one).saturating_add(places);
        Decimal(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX }))
    }

    /// The least decimal that is not below the value.
    pub fn rounded_up(self) -> Decimal {
        let down = self.rounded_down();
        if Self::of(down) == self { down } else { Decimal(down.0.saturating_add(1)) }
    }

    /// The value truncated to four decimals, for display only.
    pub fn to_decimal_text(self) -> String {
        // Halving both sides keeps the long division within range and does not change the first four decimals.
        let (mut numerator, mut denominator) = (self.numerator.unsigned_abs(), self.denominator.unsigned_abs());
        while denominator > 1 << 100 {
            numerator >>= 1;
            denominator >>= 1;
        }
        let mut rest = numerator % denominator;
        let mut decimals = String::new();
        for _ in 0..4 {
            rest *= 10;
            // The rest is below the denominator, so the digit is below ten.
            decimals.push(char::from(b'0' + u8::try_from(rest / denominator).unwrap_or(0)));
            rest %= denominator;
        }
        let decimals = decimals.trim_end_matches('0');
        let whole = numerator / denominator;
        // No minus before a zero that truncation leaves.
        let sign = if self.numerator < 0 && !(whole == 0 && decimals.is_empty()) { "-" } else { "" };
        if decimals.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
    }
}

impl Ord for Fraction {
    /// Compares whole parts, then the reciprocals of the remainders (Euclid's algorithm), so that no product can overflow.
    fn cmp(&self, other: &Self) -> Ordering {
        let mut left = (self.numerator, self.denominator);
        let mut right = (other.numerator, other.denominator);
        loop {
            let (whole_left, rest_left) = (left.0.div_euclid(left.1), left.0.rem_euclid(left.1));
            let (whole_right, rest_right) = (right.0.div_euclid(right.1), right.0.rem_euclid(right.1));
            if whole_left != whole_right {
                return whole_left.cmp(&whole_right);
            }
            match (rest_left, rest_right) {
                (0, 0) => return Ordering::Equal,
                (0, _) => return Ordering::Less,
                (_, 0) => return Ordering::Greater,
                // A reciprocal reverses the order, so the sides change places.
                _ => (left, right) = ((right.1, rest_right), (left.1, rest_left)),
            }
        }
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Fraction {
    /// Exactly: `3/400`, or a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

fn gcd(mut left: u128, mut right: u128) -> u128 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_exact_decimals_are_parsed() {
        for (text, value) in
            [("0", 0), ("12", 120_000), ("-0.05", -500), ("5%", 500), ("0.25%", 25), ("3.1415", 31_415)]
        {
            assert_eq!(Decimal::parse(text), Some(Decimal(value)), "{text}");
        }
        for text in ["", "-", ".5", "5.", "1.23456", "0.123%", "1e3", "+1", "１", "1,000", "--1", "9223372036854775807"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_toml_float_is_refused_because_it_is_not_exact() {
        #[derive(Debug, Deserialize)]
        struct Holder {
            #[expect(dead_code, reason = "parsed only to see whether it can be")]
            value: Decimal,
        }
        let error = toml::from_str::<Holder>("value = 0.1").unwrap_err().to_string();
        assert!(error.contains("decimal as text"), "{error}");
        assert!(toml::from_str::<Holder>("value = \"0.1\"").is_ok());
        assert!(toml::from_str::<Holder>("value = 3").is_ok());
    }

    #[test]
    fn values_are_rounded_to_either_side() {
        let both = |numerator, denominator| {
            let value = Fraction::new(numerator, denominator).unwrap();
            (value.rounded_down().to_string(), value.rounded_up().to_string())
        };
        assert_eq!(both(2, 3), ("0.6666".into(), "0.6667".into()));
        assert_eq!(both(-2, 3), ("-0.6667".into(), "-0.6666".into()));
        assert_eq!(both(25, 2), ("12.5".into(), "12.5".into()));
        assert_eq!(both(-1, 8), ("-0.125".into(), "-0.125".into()));
    }

    #[test]
    fn text_is_truncated_to_four_decimals() {
        let text = |numerator, denominator| Fraction::new(numerator, denominator).unwrap().to_decimal_text();
        assert_eq!(text(3, 400), "0.0075");
        assert_eq!(text(2, 3), "0.6666");
        assert_eq!(text(-1, 8), "-0.125");
        assert_eq!(text(-1, 1_000_000), "0");
        assert_eq!(text(7, 1), "7");
    }

    proptest! {
        #[test]
        fn comparison_agrees_with_cross_multiplication(a in any::<i32>(), b in 1..i32::MAX, c in any::<i32>(), d in 1..i32::MAX) {
            let left = Fraction::new(a.into(), b.into()).unwrap();
            let right = Fraction::new(c.into(), d.into()).unwrap();
            prop_assert_eq!(left.cmp(&right), (i128::from(a) * i128::from(d)).cmp(&(i128::from(c) * i128::from(b))));
        }

        #[test]
        fn comparison_is_a_total_order_on_numbers_of_any_size(a in any::<i128>(), b in 1..i128::MAX, c in any::<i128>(), d in 1..i128::MAX) {
            let left = Fraction::new(a, b).unwrap();
            let right = Fraction::new(c, d).unwrap();
            prop_assert_eq!(left.cmp(&right), right.cmp(&left).reverse());
            prop_assert_eq!(left.cmp(&right) == Ordering::Equal, left == right);
        }

        #[test]
        fn decimals_survive_the_round_trip(value in any::<i32>()) {
            let decimal = Decimal(value.into());
            prop_assert_eq!(Decimal::parse(&decimal.to_string()), Some(decimal));
        }
    }
}
