//! The points of an indicator for a value, and the part of its rule that applied.

use super::{
    evidence::MissingReason,
    model::{Band, Indicator, Missing, ScoreForm},
    number::{Decimal, Fraction, Points},
};
use crate::i18n::{Lang, number, score as text};

/// The points of an indicator for a value, or for missing data.
pub(super) fn earn(indicator: &Indicator, value: Result<Fraction, MissingReason>) -> Points {
    let weight = indicator.weight;
    let points = match value {
        Ok(value) => score(&indicator.score, weight, value),
        Err(_) => match indicator.missing {
            Missing::Zero | Missing::NoneHappened => Points(0),
            Missing::Full => weight,
            Missing::Points(points) => points,
        },
    };
    // For policies too: no path gives more than the weight.
    Points(points.0.clamp(0, weight.0))
}

fn score(form: &ScoreForm, weight: Points, value: Fraction) -> Points {
    match form {
        ScoreForm::Linear { worst, best } => linear(value, *worst, *best, weight),
        ScoreForm::PassThrough { out_of } => linear(value, Decimal(0), *out_of, weight),
        ScoreForm::Bands(bands) => band_of(bands, value).map_or(Points(0), |(_, band)| band.points),
        ScoreForm::PerEvent { start, each } => {
            // Rounded down, also for deductions: towards zero they would be rounded up.
            let change = i128::from(each.0).saturating_mul(value.numerator()).div_euclid(value.denominator());
            let total = i128::from(start.0).saturating_add(change).clamp(0, weight.0.into());
            // Between zero and the weight, so it fits.
            Points(i64::try_from(total).unwrap_or(0))
        }
    }
}

/// The part of an indicator's rule that applies to a value or to missing data, in words.
pub(super) fn fired(indicator: &Indicator, value: Result<Fraction, MissingReason>, lang: Lang) -> String {
    let weight = number(indicator.weight);
    let value = match value {
        Ok(value) => value,
        Err(lack) => {
            return text::fired_missing(lang, lack.describe(lang), number(earn(indicator, Err(lack))), weight);
        }
    };
    match &indicator.score {
        ScoreForm::Linear { worst, best } => text::fired_linear(lang, number(worst), number(best), weight),
        ScoreForm::PassThrough { out_of } => text::fired_pass_through(lang, number(out_of)),
        ScoreForm::PerEvent { start, each } if each.0 < 0 => {
            text::fired_fewer(lang, number(start), number(Points(each.0.saturating_neg())))
        }
        ScoreForm::PerEvent { start, each } => text::fired_more(lang, number(start), number(each)),
        ScoreForm::Bands(bands) => match band_of(bands, value) {
            Some((from, band)) => text::fired_band(lang, limits(from, band.below, lang), number(band.points)),
            None => text::fired_no_band(lang).to_owned(),
        },
    }
}

/// The values for which an indicator gives at least these points, in words.
pub(super) fn needed(indicator: &Indicator, points: Points, lang: Lang) -> String {
    let weight = indicator.weight;
    match &indicator.score {
        ScoreForm::Linear { worst, best } => from_on(*worst, *best, weight, points, lang),
        ScoreForm::PassThrough { out_of } => from_on(Decimal(0), *out_of, weight, points, lang),
        ScoreForm::PerEvent { start, each } if each.0 > 0 => {
            let events = (points.0 - start.0).max(0);
            // Rounded up: a part of an event does not happen.
            let events = events.div_euclid(each.0) + i64::from(events.rem_euclid(each.0) > 0);
            text::needed_events_or_more(lang, number(events))
        }
        ScoreForm::PerEvent { start, each } => {
            // Rounded down: one event more would cost too many points.
            let events = (start.0 - points.0).max(0).checked_div_euclid(-each.0).unwrap_or(0);
            match events {
                0 => text::needed_no_event(lang).to_owned(),
                events => text::needed_events_at_most(lang, number(events)),
            }
        }
        ScoreForm::Bands(bands) => {
            let mut from = None;
            let mut good = Vec::new();
            for band in bands {
                if band.points >= points {
                    good.push(text::needed_band(lang, limits(from, band.below, lang), number(band.points)));
                }
                // A band begins where the one before it ends.
                from = band.below;
            }
            good.join(text::or(lang))
        }
    }
}

/// The value from which a proportional indicator gives these points, in words.
fn from_on(worst: Decimal, best: Decimal, weight: Points, points: Points, lang: Lang) -> String {
    let span = i128::from(best.0) - i128::from(worst.0);
    let above = i128::from(worst.0) * i128::from(weight.0) + i128::from(points.0) * span;
    let Some(value) = Fraction::new(above, i128::from(weight.0) * i128::from(Decimal::ONE)) else {
        return String::new();
    };
    // Rounded to the side on which the points are earned.
    if span > 0 {
        text::needed_or_more(lang, number(value.rounded_up()))
    } else {
        text::needed_or_less(lang, number(value.rounded_down()))
    }
}

/// A band's limits in words.
fn limits(from: Option<Decimal>, below: Option<Decimal>, lang: Lang) -> String {
    match (from, below) {
        (None, None) => text::limits_any(lang).to_owned(),
        (None, Some(below)) => text::limits_below(lang, number(below)),
        (Some(from), None) => text::limits_from(lang, number(from)),
        (Some(from), Some(below)) => text::limits_between(lang, number(from), number(below)),
    }
}

/// The band of a value, and its lower limit.
fn band_of(bands: &[Band], value: Fraction) -> Option<(Option<Decimal>, &Band)> {
    let mut from = None;
    for band in bands {
        match band.below {
            Some(below) if value >= Fraction::of(below) => from = Some(below),
            _ => return Some((from, band)),
        }
    }
    None
}

/// `weight * (value - worst) / (best - worst)`, rounded down to whole thousandths, between 0 and `weight`.
fn linear(value: Fraction, worst: Decimal, best: Decimal, weight: Points) -> Points {
    let direct = || {
        let one = i128::from(Decimal::ONE);
        let gained =
            value.numerator().checked_mul(one)?.checked_sub(value.denominator().checked_mul(worst.0.into())?)?;
        let above = gained.checked_mul(weight.0.into())?;
        let span = i128::from(best.0) - i128::from(worst.0);
        let below = value.denominator().checked_mul(span)?;
        let floor =
            // Both signs are turned, because `div_euclid` rounds down only for a positive divisor.
            if below > 0 { above.div_euclid(below) } else { above.checked_neg()?.div_euclid(below.checked_neg()?) };
        i64::try_from(floor.clamp(0, weight.0.into())).ok()
    };
    Points(direct().unwrap_or_else(|| linear_by_search(value, worst, best, weight)))
}

/// The same where the products would overflow: binary search for the most points whose value is reached.
fn linear_by_search(value: Fraction, worst: Decimal, best: Decimal, weight: Points) -> i64 {
    let reached = |points: i64| {
        let span = i128::from(best.0) - i128::from(worst.0);
        let above = i128::from(worst.0) * i128::from(weight.0) + i128::from(points) * span;
        let needed = Fraction::new(above, i128::from(weight.0) * i128::from(Decimal::ONE));
        needed.is_some_and(|needed| if span > 0 { value >= needed } else { value <= needed })
    };
    // Points never reach `beyond`, and zero is earned in any case.
    let (mut earned, mut beyond) = (0, weight.0 + 1);
    while beyond - earned > 1 {
        let middle = earned + (beyond - earned) / 2;
        if reached(middle) { earned = middle } else { beyond = middle }
    }
    earned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn direct_and_searched_points_agree(
            numerator in -1_000_000_000i64..1_000_000_000,
            denominator in 1i64..1_000_000,
            worst in -50_000i64..50_000,
            best in -50_000i64..50_000,
            weight in 1i64..60_000,
        ) {
            prop_assume!(worst != best);
            let value = Fraction::new(numerator.into(), denominator.into()).unwrap();
            let (worst, best, weight) = (Decimal(worst), Decimal(best), Points(weight));
            prop_assert_eq!(linear(value, worst, best, weight).0, linear_by_search(value, worst, best, weight));
        }

        #[test]
        fn linear_points_stay_within_the_weight_at_any_size(numerator in any::<i128>(), denominator in 1..i128::MAX) {
            let value = Fraction::new(numerator, denominator).unwrap();
            let points = linear(value, Decimal(500), Decimal(0), Points(40_000));
            prop_assert!((0..=40_000).contains(&points.0));
        }

        #[test]
        fn a_better_value_never_earns_less(a in -20_000i64..20_000, b in -20_000i64..20_000) {
            let (low, high) = (a.min(b), a.max(b));
            let at = |value: i64, worst, best| linear(Fraction::of(Decimal(value)), Decimal(worst), Decimal(best), Points(20_000));
            prop_assert!(at(low, -1000, 200) <= at(high, -1000, 200));
            prop_assert!(at(low, 2000, 0) >= at(high, 2000, 0));
        }
    }
}
