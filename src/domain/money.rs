//! Money in fen (分) and points in thousandths: integers only, so that a bank can recompute every result.

use std::{fmt, ops::Add};

use serde::{Deserialize, Serialize};

/// An amount in fen, 1/100 yuan. It is negative for a month in which more was clawed back than paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fen(pub i64);

impl Fen {
    /// The sum, or `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl Add for Fen {
    type Output = Self;

    /// Saturates: an amount at the limit of 64 bits is a data error that checks report, and must not wrap around.
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Fen {
    /// As yuan with two decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", amount / 100, amount % 100)
    }
}

/// Points in thousandths: 850.000 points are 850000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MilliPoints(pub i64);

impl fmt::Display for MilliPoints {
    /// As points with three decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let points = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:03}", points / 1000, points % 1000)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_and_points_print_with_their_decimals_and_sign() {
        assert_eq!(Fen(123_456).to_string(), "1234.56");
        assert_eq!(Fen(-5).to_string(), "-0.05");
        assert_eq!(Fen(i64::MIN).to_string(), "-92233720368547758.08");
        assert_eq!(MilliPoints(849_990).to_string(), "849.990");
        assert_eq!(MilliPoints(-1).to_string(), "-0.001");
    }

    #[test]
    fn overflow_is_none_for_the_checked_sum_and_saturates_for_the_plain_one() {
        assert_eq!(Fen(i64::MAX).checked_add(Fen(1)), None);
        assert_eq!(Fen(i64::MAX) + Fen(1), Fen(i64::MAX));
        assert_eq!(serde_json::to_string(&Fen(-7)).unwrap(), "-7");
    }

    proptest! {
        #[test]
        fn a_printed_amount_keeps_every_fen(fen in any::<i64>()) {
            let digits = Fen(fen).to_string().replace('.', "");
            prop_assert_eq!(digits.parse::<i64>().unwrap(), fen);
        }

        #[test]
        fn sums_agree_where_they_exist(one in any::<i64>(), other in any::<i64>()) {
            if let Some(sum) = Fen(one).checked_add(Fen(other)) {
                prop_assert_eq!(sum, Fen(one) + Fen(other));
                prop_assert_eq!(sum, Fen(other) + Fen(one));
            }
        }
    }
}
