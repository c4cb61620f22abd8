//! Shares as percentages.

/// A share as a percentage with two decimals, rounded half up.
pub(super) fn percent(count: u64, of: u64) -> String {
    let (count, of) = (u128::from(count), u128::from(of));
    // Half up by adding half a unit before the division; 128 bits, because the product may not fit into 64.
    let hundredths = if of > 0 { (count * 20_000 + of) / (2 * of) } else { 0 };
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_half_up() {
        assert_eq!(percent(203, 2000), "10.15");
        assert_eq!(percent(1, 3), "33.33");
        assert_eq!(percent(2, 3), "66.67");
        assert_eq!(percent(1, 16), "6.25");
        assert_eq!(percent(1, 20_000), "0.01");
        assert_eq!(percent(0, 0), "0.00");
    }
}
