//! The target total of each subject in each half-year.
//!
//! The last half-year has the published distribution of the kind. Each earlier one is derived from the next: 24.4 % of
//! the institutions rose a grade between them, as published, and about a tenth fell.

use std::collections::BTreeMap;

use super::{
    Plan,
    spread::{Spread, spread},
};
use crate::{
    domain::HalfYear,
    scoring::{Points, Scheme},
    synthetic::stream::{Stream, shuffle_key},
};

/// Subjects of each grade exactly at its lower bound, if the grade has enough subjects.
const ON_THE_BOUND: usize = 3;

/// Range of totals above the bound of the best grade and below the bound of the worst, in thousandths of a point.
const REACH: i64 = 60_000;

/// The target of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// The total; approximate unless `exact`.
    pub(super) points: Points,
    /// Whether the total must be exact to a thousandth of a point.
    pub(super) exact: bool,
    /// The least points of its grade.
    pub(super) least: Points,
    /// The most points of its grade.
    pub(super) most: Points,
}

/// The targets of every subject.
#[derive(Debug)]
pub(super) struct Targets(BTreeMap<String, Vec<Target>>);

impl Targets {
    /// Sets the targets of a plan; `None` if the scheme does not have the five grades of the published shares.
    pub(super) fn of(plan: &Plan<'_>) -> Option<Self> {
        let bands = bands(plan.model.scheme(), plan.model.file().total)?;
        let mut rated: Vec<&str> =
            plan.subjects.iter().filter(|subject| subject.rated).map(|subject| subject.code.as_str()).collect();
        sort_shuffled(&mut rated, plan.seed, "grades");
        let spread = spread(plan.model.kind());
        let mut grades = last_grades(&rated, spread);
        let mut targets: BTreeMap<String, Vec<Target>> =
            plan.subjects.iter().map(|subject| (subject.code.clone(), Vec::new())).collect();
        // From the last half-year back: the last one has exactly the published distribution.
        for (nth, period) in plan.periods.iter().enumerate().rev() {
            if nth + 1 < plan.periods.len() {
                grades = grades_before(&grades, spread, plan.seed, *period);
            }
            set(&mut targets, &grades, &bands, plan.seed, *period);
        }
        // They were added from the last half-year back.
        for targets in targets.values_mut() {
            targets.reverse();
        }
        Some(Self(targets))
    }

    /// The most points of a subject's grades in all half-years of the plan.
    pub(super) fn best_of(&self, code: &str) -> Points {
        let targets = self.0.get(code).into_iter().flatten();
        targets.map(|target| target.most).max().unwrap_or_default()
    }

    /// The target of a subject in the `nth` half-year of the plan.
    pub(super) fn of_subject(&self, code: &str, nth: usize) -> Target {
        let nothing = Target { points: Points(0), exact: false, least: Points(0), most: Points(0) };
        self.0.get(code).and_then(|targets| targets.get(nth)).copied().unwrap_or(nothing)
    }
}

/// The range of targets of each grade, best first.
fn bands(scheme: &Scheme, total: Points) -> Option<[(Points, Points); 5]> {
    let froms: Vec<i64> = scheme.grade.iter().filter_map(|grade| grade.from).map(|from| from.0).collect();
    let [first, second, third, fourth] = froms.try_into().ok()?;
    let above = (first + REACH).min(total.0);
    let below = (fourth - REACH).max(0);
    Some(
        [(first, above), (second, first - 1), (third, second - 1), (fourth, third - 1), (below, fourth - 1)]
            .map(|(least, most)| (Points(least), Points(most))),
    )
}

/// Divides a whole by the largest-remainder method, so that the parts add up to it.
fn apportion(whole: usize, shares: [usize; 5]) -> [usize; 5] {
    let mut counts = shares.map(|share| whole * share / 10_000);
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|at| std::cmp::Reverse(shares.get(*at).map_or(0, |share| whole * share % 10_000)));
    let missing = whole.saturating_sub(counts.iter().sum());
    // The largest remainders get what rounding down has left, so that the counts add up.
    for at in by_remainder.into_iter().take(missing) {
        if let Some(count) = counts.get_mut(at) {
            *count += 1;
        }
    }
    counts
}

fn sort_shuffled(codes: &mut [&str], seed: u64, matter: &str) {
    codes.sort_by_cached_key(|code| shuffle_key(seed, &[matter, code]));
}

/// The grade of each subject in the last half-year; 0 is the best.
fn last_grades(shuffled: &[&str], spread: Spread) -> BTreeMap<String, usize> {
    let counts = apportion(shuffled.len(), spread.shares);
    let grades = counts.iter().enumerate().flat_map(|(grade, count)| std::iter::repeat_n(grade, *count));
    shuffled.iter().map(|code| (*code).to_owned()).zip(grades).collect()
}

/// The grades one half-year earlier: a grade lower for subjects that rose, a grade higher for those that fell.
fn grades_before(
    after: &BTreeMap<String, usize>,
    spread: Spread,
    seed: u64,
    period: HalfYear,
) -> BTreeMap<String, usize> {
    let mut codes: Vec<&str> = after.keys().map(String::as_str).collect();
    sort_shuffled(&mut codes, seed, &format!("moves {period}"));
    let worst = spread.shares.len() - 1;
    let (mut rose, mut fell) = ((codes.len() * spread.rose).div_ceil(1000), codes.len() * spread.fell / 1000);
    let before = |code: &str| {
        let grade = after.get(code).copied().unwrap_or(worst);
        let now = if rose > 0 && grade < worst {
            rose -= 1;
            grade + 1
        } else if fell > 0 && grade > 0 {
            fell -= 1;
            grade - 1
        } else {
            grade
        };
        (code.to_owned(), now)
    };
    codes.into_iter().map(before).collect()
}

/// Sets the targets of one half-year.
fn set(
    targets: &mut BTreeMap<String, Vec<Target>>,
    grades: &BTreeMap<String, usize>,
    bands: &[(Points, Points); 5],
    seed: u64,
    period: HalfYear,
) {
    let mut members = [0usize; 5];
    for grade in grades.values() {
        if let Some(count) = members.get_mut(*grade) {
            *count += 1;
        }
    }
    let mut met = [0usize; 5];
    for (code, targets) in targets {
        // Subjects that are not graded get the records of an average institution.
        let grade = grades.get(code).copied().unwrap_or(1);
        let (Some((least, most)), Some(met), Some(members)) =
            (bands.get(grade), met.get_mut(grade), members.get(grade))
        else {
            continue;
        };
        let rated = grades.contains_key(code);
        let bounded = rated && *members >= 10 * ON_THE_BOUND && grade + 1 < bands.len();
        *met += usize::from(rated);
        // Inside the band: its bounds are for the few subjects chosen below.
        let drawn = Stream::of(seed, &["target", code, &period.to_string()]).between(least.0 + 1, most.0 - 1);
        let (points, exact) = match *met {
            nth if bounded && (1..=ON_THE_BOUND).contains(&nth) => (least.0, true),
            // One subject just misses the better grade.
            nth if bounded && grade > 0 && nth == ON_THE_BOUND + 1 => (most.0, true),
            _ => (drawn, false),
        };
        targets.push(Target { points: Points(points), exact, least: *least, most: *most });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thousand_subjects_have_the_published_counts() {
        let shares = spread("medical_institution").shares;
        assert_eq!(apportion(2000, shares), [203, 1249, 468, 80, 0]);
        for whole in [0, 1, 7, 10, 99, 200, 1675, 20_000] {
            assert_eq!(apportion(whole, shares).iter().sum::<usize>(), whole);
        }
        assert_eq!(apportion(100, shares), [10, 63, 23, 4, 0]);
        assert_eq!(apportion(2400, spread("pharmacy").shares), [192, 1392, 648, 144, 24]);
    }

    #[test]
    fn as_many_subjects_rise_and_fall_as_published() {
        let codes: Vec<String> = (0..2000).map(|nth| format!("H330302{nth:05}")).collect();
        let shuffled: Vec<&str> = codes.iter().map(String::as_str).collect();
        let spread = spread("medical_institution");
        let after = last_grades(&shuffled, spread);
        let before = grades_before(&after, spread, 7, "2025-H2".parse().unwrap());
        let moved =
            |test: fn(usize, usize) -> bool| codes.iter().filter(|code| test(before[*code], after[*code])).count();
        assert_eq!(moved(|before, after| after < before), 488);
        assert_eq!(moved(|before, after| after > before), 200);
        assert!(codes.iter().all(|code| before[code].abs_diff(after[code]) <= 1));
    }
}
