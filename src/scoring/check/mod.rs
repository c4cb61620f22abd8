//! The rules that a model must satisfy before it is used. All faults are reported together, each with its line.

use std::collections::BTreeSet;

mod rules;

use super::{
    catalogue::{Catalogue, MeasureForm, is_snake_case},
    faults::{
        Faults,
        Step::{self, At, Key},
    },
    model::{Band, Indicator, Level2, Missing, ModelFile, ScoreForm, ValueForm},
    number::Points,
};

/// The farthest half-year that a rule may look back: five years, as long as adverse facts are published
/// (浙江省公共信用信息管理条例 art. 16).
const FARTHEST_BACK: u8 = 10;

/// Months in a half-year.
const MONTHS_IN_HALF_YEAR: u16 = 6;

/// Checks a model and adds its faults.
pub(super) fn check(model: &ModelFile, catalogue: &Catalogue, faults: &mut Faults<'_>) {
    let is_slug = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    faults.require(is_slug(&model.id), &[Key("id")], || {
        format!("{:?} is not an id: lower-case letters, digits and hyphens", model.id)
    });
    faults.require(model.version >= 1, &[Key("version")], || "versions begin at 1".into());
    faults.require(model.kind == catalogue.kind(), &[Key("kind")], || {
        format!("the model rates {}, the catalogue is of {}", model.kind, catalogue.kind())
    });
    faults.require(model.by_points() == (model.total.0 > 0), &[Key("total")], || {
        if model.by_points() {
            "the total must be positive".into()
        } else {
            "without a tree ([[level1]]) there are no points: leave `total` out".into()
        }
    });
    if let Some(published) = &model.published {
        faults.require(!published.source.trim().is_empty(), &[Key("published")], || "name the source".into());
    }
    if let Some(default) = &model.default {
        faults.require(!default.reason.trim().is_empty(), &[Key("default")], || "give the reason".into());
    }
    check_scheme(model, faults);
    model.not_rated.origin().check(&[Key("not_rated")], "the list of subjects that are not rated", faults);
    if model.by_points() {
        check_tree(model, catalogue, faults);
    }
    rules::check_rules(model, catalogue, faults);
}

fn check_scheme(model: &ModelFile, faults: &mut Faults<'_>) {
    let scheme = &model.scheme;
    let place = [Key("scheme")];
    scheme.origin().check(&place, "the scheme", faults);
    faults.require(scheme.version >= 1, &place, || "versions begin at 1".into());
    faults.require(scheme.grade.len() >= 2, &place, || "a scheme has at least two grades".into());
    let mut codes = BTreeSet::new();
    let mut above: Option<Points> = None;
    for (at, grade) in scheme.grade.iter().enumerate() {
        let place = [Key("scheme"), Key("grade"), At(at)];
        let code = &grade.code;
        faults.require(is_snake_case(code) && codes.insert(code), &place, || {
            format!("{code:?} cannot be a grade's code: snake_case, and each once")
        });
        faults.require(!grade.name_zh.trim().is_empty(), &place, || format!("the grade {code} has no name"));
        faults.require(usize::try_from(grade.ordinal).is_ok_and(|ordinal| ordinal == at + 1), &place, || {
            format!("the grade {code} is in place {}, but its ordinal is {}", at + 1, grade.ordinal)
        });
        let last = at + 1 == scheme.grade.len();
        if !model.by_points() {
            faults.require(grade.from.is_none(), &place, || {
                format!("the grade {code} has a `from`, but no points lead to it: rules do")
            });
            continue;
        }
        match grade.from {
            None => {
                faults.require(last, &place, || format!("the grade {code} needs a `from`: only the worst has none"));
            }
            Some(_) if last => {
                faults.add(&place, format!("the worst grade, {code}, must have no `from`: it covers all lower totals"));
            }
            Some(from) => {
                faults.require(from.0 > 0 && from <= model.total, &place, || {
                    format!("the grade {code} begins at {from}, outside the model's {} points", model.total)
                });
                faults.require(above.is_none_or(|above| from < above), &place, || {
                    format!("the grade {code} begins at {from}, not below the grade before it")
                });
                above = Some(from);
            }
        }
    }
}

fn check_tree(model: &ModelFile, catalogue: &Catalogue, faults: &mut Faults<'_>) {
    // Saturated, so that absurd weights are reported as a wrong sum and never wrap to the right one.
    let sum = |weights: &mut dyn Iterator<Item = Points>| {
        Points(weights.fold(0i64, |sum, weight| sum.saturating_add(weight.0)))
    };
    let all = sum(&mut model.level1.iter().map(|level| level.weight));
    faults.require(all == model.total, &[Key("level1")], || {
        format!("the first level adds up to {all}, the model has {} points", model.total)
    });
    let mut next = 1;
    let mut names = BTreeSet::new();
    for (at1, level1) in model.level1.iter().enumerate() {
        let place = [Key("level1"), At(at1)];
        let parts = sum(&mut level1.level2.iter().map(|level| level.weight));
        faults.require(parts == level1.weight, &place, || {
            format!("{} weighs {}, but its parts add up to {parts}", level1.name_zh, level1.weight)
        });
        for (at2, level2) in level1.level2.iter().enumerate() {
            let place = [Key("level1"), At(at1), Key("level2"), At(at2)];
            let parts = sum(&mut level2.indicator.iter().map(|indicator| indicator.weight));
            faults.require(parts == level2.weight, &place, || {
                format!("{} weighs {}, but its parts add up to {parts}", level2.name_zh, level2.weight)
            });
            check_indicators(level2, &place, &mut next, &mut names, catalogue, faults);
        }
    }
}

fn check_indicators<'m>(
    level2: &'m Level2,
    above: &[Step; 4],
    next: &mut u16,
    names: &mut BTreeSet<&'m str>,
    catalogue: &Catalogue,
    faults: &mut Faults<'_>,
) {
    let [a, b, c, d] = *above;
    for (at, indicator) in level2.indicator.iter().enumerate() {
        let place = [a, b, c, d, Key("indicator"), At(at)];
        let (no, name) = (indicator.no, &indicator.name_zh);
        faults.require(no == *next, &place, || format!("indicator {no} is found where {next} is expected"));
        *next = next.saturating_add(1);
        faults.require(!name.trim().is_empty() && names.insert(name), &place, || {
            format!("indicator {no} needs a name of its own, not {name:?}")
        });
        faults.require(indicator.weight.0 > 0, &place, || format!("indicator {no} weighs nothing"));
        check_rule(indicator, &place, catalogue, faults);
    }
}

fn check_rule(indicator: &Indicator, place: &[Step], catalogue: &Catalogue, faults: &mut Faults<'_>) {
    let no = indicator.no;
    indicator.origin().check(place, &format!("the rule of indicator {no}"), faults);
    let mut wrong = Vec::new();
    check_value(&indicator.value, catalogue, &mut wrong);
    check_score(&indicator.score, indicator.weight, &mut wrong);
    let counts = matches!(indicator.value, ValueForm::Count { .. });
    // For a count no record is an answer, for all other values it is the lack of one: the two policies do not mix.
    match indicator.missing {
        Missing::NoneHappened if !counts => {
            wrong.push("`missing` can be \"none_happened\" only for a count of events".into());
        }
        Missing::NoneHappened => {}
        _ if counts => wrong.push("a count has no missing data: write missing = \"none_happened\"".into()),
        Missing::Points(points) if points.0 < 0 || points > indicator.weight => {
            wrong.push(format!("`missing` gives {points} points of {}", indicator.weight));
        }
        Missing::Zero | Missing::Full | Missing::Points(_) => {}
    }
    for message in wrong {
        faults.add(place, format!("indicator {no}: {message}"));
    }
}

fn check_value(value: &ValueForm, catalogue: &Catalogue, wrong: &mut Vec<String>) {
    let mut known = |id: &str, event: bool| match catalogue.measure(id) {
        None => wrong.push(format!("the measure {id:?} is not in the catalogue of {}", catalogue.kind())),
        Some(measure) if event != (measure.form == MeasureForm::Event) => wrong.push(if event {
            format!("{id} is not an event and cannot be counted")
        } else {
            format!("{id} is an event: count it")
        }),
        Some(_) => {}
    };
    match value {
        ValueForm::Measure(id) => known(id, false),
        ValueForm::Ratio { numerator, denominator } => {
            for id in numerator.iter().chain(denominator) {
                known(id, false);
            }
            if numerator.is_empty() || denominator.is_empty() {
                wrong.push("a ratio needs measures on both sides".into());
            }
        }
        ValueForm::Growth { of } => match of.as_ref() {
            ValueForm::Measure(_) | ValueForm::Ratio { .. } => check_value(of, catalogue, wrong),
            _ => wrong.push("only a measure or a ratio can grow".into()),
        },
        ValueForm::Count { measures, periods_back: [nearest, farthest] } => {
            for id in measures {
                known(id, true);
            }
            if measures.is_empty() {
                wrong.push("there is nothing to count".into());
            }
            wrong.extend(measures.iter().filter_map(|id| outlived(id, *farthest, catalogue)));
            if nearest > farthest || *farthest > FARTHEST_BACK {
                wrong.push(format!(
                    "periods_back goes from the nearest to the farthest, at most {FARTHEST_BACK}: not [{nearest}, {farthest}]"
                ));
            }
        }
        ValueForm::PeerPercentile { of, least, .. } => {
            match of.as_ref() {
                ValueForm::Measure(_) | ValueForm::Ratio { .. } => check_value(of, catalogue, wrong),
                _ => wrong.push("only a measure or a ratio can be compared with peers".into()),
            }
            if *least == 0 {
                wrong.push("a comparison with peers needs at least one other subject".into());
            }
        }
        ValueForm::Age { .. } => {}
    }
}

/// The fault of a count that looks farther back than facts of the measure's category are valid.
fn outlived(id: &str, farthest: u8, catalogue: &Catalogue) -> Option<String> {
    let category = catalogue.category(catalogue.measure(id)?.category)?;
    // The present half-year counts too, hence the one.
    let looked = (u16::from(farthest) + 1) * MONTHS_IN_HALF_YEAR;
    (looked > category.validity_months).then(|| {
        format!(
            "{id} is counted over {looked} months, but facts of {} are valid for {}",
            category.name_zh, category.validity_months
        )
    })
}

fn check_score(score: &ScoreForm, weight: Points, wrong: &mut Vec<String>) {
    match score {
        ScoreForm::PassThrough { out_of } if out_of.0 <= 0 => wrong.push("`out_of` must be positive".into()),
        ScoreForm::Linear { worst, best } if worst == best => wrong.push("worst and best are the same value".into()),
        ScoreForm::Linear { .. } | ScoreForm::PassThrough { .. } => {}
        ScoreForm::Bands(bands) => check_bands(bands, weight, wrong),
        ScoreForm::PerEvent { start, each } => {
            // A deduction starts at the full weight, and an award below it; otherwise no case could earn the whole.
            let reaches = if each.0 < 0 { *start == weight } else { *start < weight };
            if start.0 < 0 || each.0 == 0 || !reaches {
                wrong.push(format!("{start} points and {each} for each event do not lead to or from {weight}"));
            }
        }
    }
}

fn check_bands(bands: &[Band], weight: Points, wrong: &mut Vec<String>) {
    let mut before = None;
    for (at, band) in bands.iter().enumerate() {
        let last = at + 1 == bands.len();
        match band.below {
            None if !last => wrong.push("only the last band has no `below`".into()),
            Some(_) if last => wrong.push("the last band must have no `below`: it covers all greater values".into()),
            Some(below) if before.is_some_and(|before| below <= before) => {
                wrong.push(format!("the band below {below} does not come after the one before it"));
            }
            _ => {}
        }
        before = band.below.or(before);
        if band.points.0 < 0 || band.points > weight {
            wrong.push(format!("a band gives {} points of {weight}", band.points));
        }
    }
    if !bands.iter().any(|band| band.points == weight) {
        wrong.push(format!("no band gives the full {weight} points"));
    }
}
