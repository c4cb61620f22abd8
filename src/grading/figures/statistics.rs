//! Statistics in integer arithmetic.

/// The distribution of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spread {
    pub(super) least: i64,
    pub(super) lower_quartile: i64,
    pub(super) median: i64,
    pub(super) upper_quartile: i64,
    pub(super) most: i64,
    /// Truncated towards zero.
    pub(super) mean: i64,
    /// The population standard deviation, rounded down.
    pub(super) deviation: i64,
}

/// The distribution of some numbers; all zero where there are none.
pub(super) fn spread(numbers: &[i64]) -> Spread {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return Spread::default() };
    // By nearest rank, so that a quartile is always one of the numbers.
    let quartile = |quarters: usize| {
        let rank = (sorted.len() * quarters).div_ceil(4).max(1);
        sorted.get(rank - 1).copied().unwrap_or(*most)
    };
    let count = i128::try_from(sorted.len()).unwrap_or(i128::MAX);
    let sum: i128 = sorted.iter().copied().map(i128::from).sum();
    // Integers throughout: a float could differ between machines.
    let root = scatter(&sorted, &sorted).unsigned_abs().isqrt();
    Spread {
        least: *least,
        lower_quartile: quartile(1),
        median: quartile(2),
        upper_quartile: quartile(3),
        most: *most,
        mean: i64::try_from(sum / count).unwrap_or(0),
        deviation: i64::try_from(root / count.unsigned_abs()).unwrap_or(i64::MAX),
    }
}

/// Pearson's correlation of pairs, in thousandths; none where either side does not vary.
pub(super) fn correlation(one: &[i64], other: &[i64]) -> Option<i64> {
    let between = scatter(one, other);
    let (first, second) = (scatter(one, one).unsigned_abs(), scatter(other, other).unsigned_abs());
    // The root of the product; where that overflows, the roots are so large that rounding each down makes no difference.
    let root = first.checked_mul(second).map_or_else(|| first.isqrt().saturating_mul(second.isqrt()), u128::isqrt);
    let scale = i128::try_from(root).unwrap_or(i128::MAX);
    (scale > 0).then(|| i64::try_from((between * 1000 / scale).clamp(-1000, 1000)).unwrap_or(0))
}

/// n² times the covariance: n Σxy - Σx Σy. Points are below 2^21 thousandths and subjects below 2^27, so it fits.
fn scatter(one: &[i64], other: &[i64]) -> i128 {
    let sum = |numbers: &[i64]| numbers.iter().copied().map(i128::from).sum::<i128>();
    let products: i128 = one.iter().zip(other).map(|(one, other)| i128::from(*one) * i128::from(*other)).sum();
    let count = i128::try_from(one.len()).unwrap_or(i128::MAX);
    count * products - sum(one) * sum(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_the_numbers_themselves() {
        let of = spread(&[8_000, 2_000, 4_000, 4_000, 4_000, 5_000, 5_000, 7_000, 9_000]);
        assert_eq!(
            (of.least, of.lower_quartile, of.median, of.upper_quartile, of.most),
            (2000, 4000, 5000, 7000, 9000)
        );
        // The classical example has mean 5 and deviation 2.
        let of = spread(&[2_000, 4_000, 4_000, 4_000, 5_000, 5_000, 7_000, 9_000]);
        assert_eq!((of.mean, of.deviation), (5_000, 2_000));
        assert_eq!(spread(&[]), Spread::default());
        assert_eq!(spread(&[7]).deviation, 0);
    }

    #[test]
    fn what_goes_together_correlates() {
        let one = [1_000, 2_000, 3_000, 4_000];
        assert_eq!(correlation(&one, &[10, 20, 30, 40]), Some(1000));
        assert_eq!(correlation(&one, &[40, 30, 20, 10]), Some(-1000));
        assert_eq!(correlation(&one, &[5, 5, 5, 5]), None);
        assert_eq!(correlation(&[1, 2, 3, 4, 5], &[2, 1, 4, 3, 5]), Some(800));
        assert_eq!(correlation(&[], &[]), None);
    }
}
