//! One indicator's rule, resolved against a catalogue: what it measures, what that earns, and which part of it fired.

use super::{
    catalogue::Catalogue,
    measures::{Evidence, Lack, Measures},
    model::{Band, Indicator, Missing, ScoreForm, SubjectDay, ValueForm},
    number::{Decimal, Fraction, Points},
};

/// What is measured, by places in the catalogue.
#[derive(Debug, Clone)]
enum Value {
    Measure(usize),
    Ratio { numerator: Vec<usize>, denominator: Vec<usize> },
    Growth(Box<Value>),
    Count { measures: Vec<usize>, nearest: u8, farthest: u8 },
    Age(SubjectDay),
}

/// A rule ready to be applied.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    value: Value,
    /// The measures it reads, with their ids and the half-years back, for the explanation.
    reads: Vec<(String, usize, u8)>,
}

impl Rule {
    /// The rule of an indicator; `None` only where a measure is not in the catalogue, which the check has refused.
    pub(super) fn of(indicator: &Indicator, catalogue: &Catalogue) -> Option<Self> {
        let value = resolve(&indicator.value, catalogue)?;
        let mut reads = Vec::new();
        list_reads(&value, 0, catalogue, &mut reads);
        Some(Self { value, reads })
    }

    /// How many half-years back it looks.
    pub(super) fn lookback(&self) -> u8 {
        self.reads.iter().map(|(_, _, back)| *back).max().unwrap_or(0)
    }

    /// What it measures of a subject.
    pub(super) fn measure(&self, measures: &Measures) -> Result<Fraction, Lack> {
        evaluate(&self.value, measures, 0)
    }

    /// The records it read.
    pub(super) fn evidence(&self, measures: &Measures) -> Vec<Evidence> {
        let read = |(id, place, back): &(String, usize, u8)| measures.evidence(id, *place, *back);
        self.reads.iter().map(read).filter(|evidence| evidence.facts > 0).collect()
    }
}

fn resolve(value: &ValueForm, catalogue: &Catalogue) -> Option<Value> {
    let places = |ids: &[String]| ids.iter().map(|id| catalogue.place(id)).collect::<Option<Vec<_>>>();
    Some(match value {
        ValueForm::Measure(id) => Value::Measure(catalogue.place(id)?),
        ValueForm::Ratio { numerator, denominator } => {
            Value::Ratio { numerator: places(numerator)?, denominator: places(denominator)? }
        }
        ValueForm::Growth { of } => Value::Growth(Box::new(resolve(of, catalogue)?)),
        ValueForm::Count { measures, periods_back: [nearest, farthest] } => {
            Value::Count { measures: places(measures)?, nearest: *nearest, farthest: *farthest }
        }
        ValueForm::Age { since } => Value::Age(*since),
    })
}

fn list_reads(value: &Value, back: u8, catalogue: &Catalogue, reads: &mut Vec<(String, usize, u8)>) {
    let mut read = |place: usize, back: u8| {
        if let Some(measure) = catalogue.measures().get(place) {
            reads.push((measure.id.clone(), place, back));
        }
    };
    match value {
        Value::Measure(place) => read(*place, back),
        Value::Ratio { numerator, denominator } => {
            for place in numerator.iter().chain(denominator) {
                read(*place, back);
            }
        }
        Value::Growth(of) => {
            list_reads(of, back, catalogue, reads);
            list_reads(of, back + 1, catalogue, reads);
        }
        Value::Count { measures, nearest, farthest } => {
            for back in *nearest..=*farthest {
                for place in measures {
                    read(*place, back);
                }
            }
        }
        Value::Age(_) => {}
    }
}

fn evaluate(value: &Value, measures: &Measures, back: u8) -> Result<Fraction, Lack> {
    match value {
        Value::Measure(place) => measures.sum(&[*place], back).ok_or(Lack::NoData),
        Value::Ratio { numerator, denominator } => {
            let above = measures.sum(numerator, back).ok_or(Lack::NoData)?;
            let below = measures.sum(denominator, back).ok_or(Lack::NoData)?;
            let ratio = below.is_positive().then(|| above.over(below)).flatten();
            ratio.ok_or(Lack::NothingToDivideBy)
        }
        Value::Growth(of) => {
            let now = evaluate(of, measures, back)?;
            let before = evaluate(of, measures, back + 1).map_err(|_| Lack::NoFormerPeriod)?;
            let growth = before.is_positive().then(|| now.growth_from(before)).flatten();
            growth.ok_or(Lack::NoFormerPeriod)
        }
        Value::Count { measures: places, nearest, farthest } => {
            let counts =
                (*nearest..=*farthest).flat_map(|back| places.iter().map(move |place| measures.count(*place, back)));
            Ok(Fraction::whole(counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX)).sum()))
        }
        Value::Age(SubjectDay::AgreementSignedOn) => {
            let end = measures.period().last_month().last_day();
            let since = measures.agreement_signed_on().filter(|since| *since <= end).ok_or(Lack::NoDay)?;
            // A month is full on the day of the month it began; the 31st is full at the end of a shorter month.
            let months = end.month().months_since(since.month());
            let begun = end.date().day() < since.date().day() && end != end.month().last_day();
            Ok(Fraction::whole((months - i32::from(begun)).into()))
        }
    }
}

/// The points of an indicator for a value, or for the lack of one.
pub(super) fn earn(indicator: &Indicator, value: Result<Fraction, Lack>) -> Points {
    let weight = indicator.weight;
    let points = match value {
        Ok(value) => score(&indicator.score, weight, value),
        Err(_) => match indicator.missing {
            Missing::Zero | Missing::NoneHappened => Points(0),
            Missing::Full => weight,
            Missing::Points(points) => points,
        },
    };
    Points(points.0.clamp(0, weight.0))
}

fn score(form: &ScoreForm, weight: Points, value: Fraction) -> Points {
    match form {
        ScoreForm::Linear { worst, best } => linear(value, *worst, *best, weight),
        ScoreForm::PassThrough { out_of } => linear(value, Decimal(0), *out_of, weight),
        ScoreForm::Bands(bands) => band_of(bands, value).map_or(Points(0), |(_, band)| band.points),
        ScoreForm::PerEvent { start, each } => {
            let change = i128::from(each.0).saturating_mul(value.numerator()).div_euclid(value.denominator());
            let total = i128::from(start.0).saturating_add(change).clamp(0, weight.0.into());
            Points(i64::try_from(total).unwrap_or(0))
        }
    }
}

/// The part of an indicator's rule that fires for a value, or for the lack of one, in words.
pub(super) fn fired(indicator: &Indicator, value: Result<Fraction, Lack>) -> String {
    let weight = indicator.weight;
    let value = match value {
        Ok(value) => value,
        Err(lack) => return format!("{}: {} of {weight}", lack.in_words(), earn(indicator, Err(lack))),
    };
    match &indicator.score {
        ScoreForm::Linear { worst, best } => format!("in proportion: {worst} earns 0, {best} earns {weight}"),
        ScoreForm::PassThrough { out_of } => format!("as scored, out of {out_of}"),
        ScoreForm::PerEvent { start, each } => format!("{start} to begin with, {each} for each event"),
        ScoreForm::Bands(bands) => {
            let Some((from, band)) = band_of(bands, value) else { return "no band".to_owned() };
            let limits = match (from, band.below) {
                (None, None) => "any value".to_owned(),
                (None, Some(below)) => format!("below {below}"),
                (Some(from), None) => format!("{from} and more"),
                (Some(from), Some(below)) => format!("from {from}, below {below}"),
            };
            format!("band {limits}: {}", band.points)
        }
    }
}

/// The band a value is in, and where it begins.
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

/// `weight * (value - worst) / (best - worst)`, cut to whole thousandths downwards, between 0 and `weight`.
fn linear(value: Fraction, worst: Decimal, best: Decimal, weight: Points) -> Points {
    let direct = || {
        let one = i128::from(Decimal::ONE);
        let gained =
            value.numerator().checked_mul(one)?.checked_sub(value.denominator().checked_mul(worst.0.into())?)?;
        let above = gained.checked_mul(weight.0.into())?;
        let span = i128::from(best.0) - i128::from(worst.0);
        let below = value.denominator().checked_mul(span)?;
        let floor =
            if below > 0 { above.div_euclid(below) } else { above.checked_neg()?.div_euclid(below.checked_neg()?) };
        i64::try_from(floor.clamp(0, weight.0.into())).ok()
    };
    Points(direct().unwrap_or_else(|| linear_by_halving(value, worst, best, weight)))
}

/// The same where the products would not fit: the most points whose value is reached, found by halving.
fn linear_by_halving(value: Fraction, worst: Decimal, best: Decimal, weight: Points) -> i64 {
    let reached = |points: i64| {
        let span = i128::from(best.0) - i128::from(worst.0);
        let above = i128::from(worst.0) * i128::from(weight.0) + i128::from(points) * span;
        let needed = Fraction::new(above, i128::from(weight.0) * i128::from(Decimal::ONE));
        needed.is_some_and(|needed| if span > 0 { value >= needed } else { value <= needed })
    };
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
        fn both_ways_to_reckon_in_proportion_agree(
            numerator in -1_000_000_000i64..1_000_000_000,
            denominator in 1i64..1_000_000,
            worst in -50_000i64..50_000,
            best in -50_000i64..50_000,
            weight in 1i64..60_000,
        ) {
            prop_assume!(worst != best);
            let value = Fraction::new(numerator.into(), denominator.into()).unwrap();
            let (worst, best, weight) = (Decimal(worst), Decimal(best), Points(weight));
            prop_assert_eq!(linear(value, worst, best, weight).0, linear_by_halving(value, worst, best, weight));
        }

        #[test]
        fn points_in_proportion_stay_within_the_weight_at_any_size(numerator in any::<i128>(), denominator in 1..i128::MAX) {
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
