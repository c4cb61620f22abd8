//! Lognormal amounts in integer arithmetic, so that every machine draws the same: the last bit of a math library's
//! exponential differs between platforms.

use super::stream::Stream;

/// Fractional bits of the fixed-point numbers below.
const BITS: u32 = 32;
const ONE: i128 = 1 << BITS;

/// A standard normal number in fixed point: the sum of twelve uniform numbers, less six. Its variance is exactly one,
/// and it is never beyond six deviations, which suits monthly amounts.
fn normal(stream: &mut Stream) -> i128 {
    const UNIFORM: i64 = 1 << 20;
    let sum: i64 = (0..12).map(|_| stream.between(0, UNIFORM - 1)).sum();
    // The draws end at UNIFORM - 1, so their mean is 6 below 6 * UNIFORM.
    let centred = i128::from(sum) + 6 - 6 * i128::from(UNIFORM);
    centred << (BITS - 20)
}

/// 2 to the power of a fixed-point number, in fixed point: the integer part is a shift, the fraction a polynomial that
/// is correct to eight digits. Saturates far beyond anything drawn here.
fn power_of_two(exponent: i128) -> i128 {
    // Taylor coefficients of 2^x: ln(2)^n / n!, times 2^32.
    const COEFFICIENTS: [i128; 10] =
        [4_294_967_296, 2_977_044_472, 1_031_764_991, 238_388_332, 41_309_550, 5_726_720, 661_577, 65_510, 5_676, 437];
    let whole = exponent >> BITS;
    let rest = exponent & (ONE - 1);
    let fraction = COEFFICIENTS.iter().rev().fold(0, |sum, coefficient| ((sum * rest) >> BITS) + coefficient);
    match u32::try_from(whole.unsigned_abs()) {
        // The fraction takes 33 bits: with 60 more it fits into 128, and no amount comes near that.
        Ok(shift) if whole >= 0 => fraction << shift.min(60),
        Ok(shift) => fraction >> shift.min(100),
        Err(_) => 0,
    }
}

/// Draws a lognormal amount with a median and a sigma in thousandths.
pub(super) fn lognormal(stream: &mut Stream, median: i64, sigma_thousandths: i64) -> i64 {
    // 1 / ln 2, times 2^32: the amount is median * e^(sigma z) = median * 2^(sigma z / ln 2).
    const LOG2_E: i128 = 6_196_328_019;
    let exponent = (normal(stream) * i128::from(sigma_thousandths) / 1000 * LOG2_E) >> BITS;
    let amount = (i128::from(median) * power_of_two(exponent)) >> BITS;
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// `amount * numerator / denominator`, rounded down, with an intermediate result of 128 bits.
pub(super) fn share(amount: i64, numerator: i64, denominator: i64) -> i64 {
    let product = i128::from(amount) * i128::from(numerator);
    i64::try_from(product.div_euclid(i128::from(denominator.max(1)))).unwrap_or(i64::MAX)
}

/// Scales amounts so that they add up to a total exactly.
pub(super) fn scale_to_total(amounts: &mut [i64], total: i64) {
    let sum: i128 = amounts.iter().map(|amount| i128::from(*amount)).sum();
    let (mut before, mut done) = (0i128, 0i128);
    for amount in amounts {
        // Rounding the running sum instead of each amount leaves no remainder.
        before += i128::from(*amount);
        let until = before * i128::from(total) / sum.max(1);
        *amount = i64::try_from(until - done).unwrap_or(0);
        done = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_correct_to_seven_digits() {
        for (exponent, expected) in [(0, ONE), (1, 2 * ONE), (-1, ONE / 2), (10, 1024 * ONE), (-10, ONE / 1024)] {
            assert_eq!(power_of_two(exponent << BITS), expected);
        }
        // 2^0.5 = 1.41421356..., 2^-0.5 = 0.70710678...
        let near = |value: i128, e8: i128| (value * 100_000_000 / ONE - e8).abs() <= 20;
        assert!(near(power_of_two(ONE / 2), 141_421_356));
        assert!(near(power_of_two(-ONE / 2), 70_710_678));
        assert!(near(power_of_two(ONE - 1), 200_000_000));
    }

    #[test]
    fn draws_have_the_given_median_and_sigma() {
        let mut stream = Stream::of(1, &["lognormal"]);
        let mut drawn: Vec<i64> = (0..20_001).map(|_| lognormal(&mut stream, 1_000_000, 1000)).collect();
        drawn.sort_unstable();
        let quantile = |at: usize| drawn[at * 20_000 / 1000];
        // Median 1, e^-1 at 15.87 %, e^1 at 84.13 %; within three per cent.
        for (at, expected) in [(500, 1_000_000), (159, 367_879), (841, 2_718_282)] {
            let found = quantile(at);
            assert!((found - expected).abs() * 100 < expected * 5, "quantile {at}: {found}");
        }
        let mean = drawn.iter().sum::<i64>() / 20_001;
        assert!((1_560_000..1_740_000).contains(&mean), "mean {mean}, a lognormal's is 1.65 medians");
    }

    #[test]
    fn the_first_draws_are_the_same_on_every_machine() {
        let mut stream = Stream::of(1, &["lognormal"]);
        let drawn: Vec<i64> = (0..4).map(|_| lognormal(&mut stream, 2_500_000, 1000)).collect();
        assert_eq!(drawn, [2_745_267, 4_326_588, 2_973_467, 3_270_103]);
    }

    #[test]
    fn scaled_amounts_add_up_to_the_total_exactly() {
        let mut amounts = [3, 1, 4, 1, 5, 9, 2, 6];
        scale_to_total(&mut amounts, 1_000_003);
        assert_eq!(amounts.iter().sum::<i64>(), 1_000_003);
        assert!(amounts.windows(2).all(|pair| pair[0] > 0 && pair[1] > 0));
        let mut nothing: [i64; 0] = [];
        scale_to_total(&mut nothing, 5);
        assert_eq!(share(-7, 1, 2), -4);
    }
}
