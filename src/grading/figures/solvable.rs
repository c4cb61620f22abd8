//! Withheld counts that can be computed from published ones, by all sums together and not one sum at a time.
//!
//! Each sum is an equation; the withheld counts are its unknowns. A count can be computed exactly if the reduced row
//! echelon form of the equations has a row with this unknown alone. Elimination is done modulo a prime: coefficients stay
//! exact and small, and the coefficients of sums are far too small for the prime to divide one.

use std::collections::BTreeMap;

/// Below 2^31, so that products fit into 64 bits.
const PRIME: u64 = 2_147_483_647;

/// The coefficients of an equation by count, none of them zero.
type Equation = BTreeMap<usize, u64>;

/// A withheld count, and the published counts from which it can be computed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Solved {
    pub(super) count: usize,
    pub(super) from: Vec<usize>,
}

/// The withheld counts that can be computed. Each sum is a total and its summands.
pub(super) fn solved(sums: &[(usize, Vec<usize>)], withheld: impl Fn(usize) -> bool) -> Vec<Solved> {
    let mut reduced: BTreeMap<usize, Equation> = BTreeMap::new();
    for (total, of) in sums {
        let mut equation = Equation::new();
        add(&mut equation, &Equation::from([(*total, 1)]), PRIME - 1);
        for count in of {
            add(&mut equation, &Equation::from([(*count, 1)]), 1);
        }
        // A reduced equation has no other pivot, so one pass leaves none in this one.
        for (pivot, other) in &reduced {
            eliminate(&mut equation, *pivot, other);
        }
        let Some((pivot, leading)) = equation.iter().find(|(count, _)| withheld(**count)) else { continue };
        // Fermat: the power of `PRIME - 2` is the inverse, so the leading coefficient becomes one.
        let (pivot, inverse) = (*pivot, power(*leading, PRIME - 2));
        for coefficient in equation.values_mut() {
            *coefficient = *coefficient * inverse % PRIME;
        }
        for other in reduced.values_mut() {
            eliminate(other, pivot, &equation);
        }
        reduced.insert(pivot, equation);
    }
    let alone =
        reduced.into_iter().filter(|(_, equation)| equation.keys().filter(|count| withheld(**count)).count() == 1);
    alone
        .map(|(count, equation)| Solved { count, from: equation.into_keys().filter(|other| *other != count).collect() })
        .collect()
}

/// Takes a count out of an equation, by an equation in which its coefficient is one.
fn eliminate(equation: &mut Equation, count: usize, by: &Equation) {
    if let Some(coefficient) = equation.get(&count).copied() {
        add(equation, by, PRIME - coefficient);
    }
}

/// Adds a multiple of an equation.
fn add(equation: &mut Equation, other: &Equation, times: u64) {
    for (count, coefficient) in other {
        let sum = equation.entry(*count).or_default();
        *sum = (*sum + coefficient * times) % PRIME;
        if *sum == 0 {
            equation.remove(count);
        }
    }
}

/// A power modulo the prime; the power of `PRIME - 2` is the inverse.
fn power(mut base: u64, mut exponent: u64) -> u64 {
    let mut result = 1;
    while exponent > 0 {
        if exponent % 2 == 1 {
            result = result * base % PRIME;
        }
        base = base * base % PRIME;
        exponent /= 2;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_times_its_inverse_is_one() {
        for number in [1, 2, 3, 1_000_003, PRIME - 1] {
            assert_eq!(number * power(number, PRIME - 2) % PRIME, 1);
        }
    }

    #[test]
    fn a_count_is_computed_over_two_sums() {
        // 4 = 0 + 1 and 5 = 0 + 1 + 2, with 0 and 1 withheld: only 2 would follow.
        let sums = [(4, vec![0, 1]), (5, vec![0, 1, 2])];
        assert_eq!(solved(&sums, |count| count < 3), [Solved { count: 2, from: vec![4, 5] }]);
        assert!(solved(&sums, |count| count < 2).is_empty());
        assert!(solved(&sums, |count| count < 3 || count == 5).is_empty());
    }
}
