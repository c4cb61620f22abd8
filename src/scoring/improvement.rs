//! What would raise a subject's grade: for a points model which indicators could give what is lacking and from which
//! value on; for rules, caps, vetoes and chains what must stop holding, and when it will by itself.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{
    decide::{LimitOf, chain_allows, holds},
    describe::{describe_chain_rule, describe_condition},
    evaluate::{Part, Reckoned},
    measures::Measures,
    model::{Condition, Model, ModelFile, When},
    number::{Fraction, Points},
    reading::Reading,
    score::needed,
};
use crate::domain::{HalfYear, money::MilliPoints};

/// What would raise a grade to the next better one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raise {
    /// The next better grade.
    pub to: String,
    /// How many points are lacking; none under a rule model, or where only a cap or veto stands in the way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lacking: Option<MilliPoints>,
    /// Indicators each of which could give them alone, the one that has to give the least part of what it still can first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub alone: Vec<RaiseStep>,
    /// Where none could alone: the fewest that could together, those that still can give the most.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub together: Vec<RaiseStep>,
    /// What holds now and must stop holding.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub must_end: Vec<Blocker>,
    /// Where no rule with conditions gave the grade: what one of them would have to hold, by clause.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub must_begin: Vec<String>,
}

/// What one indicator could add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaiseStep {
    /// The indicator's number.
    pub no: u16,
    /// How many points more it can give at most.
    pub room: MilliPoints,
    /// The values with which it gives what is asked of it, in words.
    pub with: String,
}

/// Something that holds and stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// What it is.
    pub part: Part,
    /// What it is known by.
    pub clause: String,
    /// What must change, in words: of each condition that holds.
    pub conditions: Vec<String>,
    /// The half-year from whose round on it no longer holds if nothing more happens, because events leave the window.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ends_by_itself: Option<HalfYear>,
}

/// What would raise the grade; nothing where it is the best.
pub(super) fn raise(model: &Model, measures: &Measures, reckoned: &Reckoned) -> Option<Raise> {
    let target = reckoned.grade.checked_sub(1)?;
    let to = model.scheme().grade.get(target)?;
    let mut raise = Raise {
        to: to.code.clone(),
        lacking: None,
        alone: Vec::new(),
        together: Vec::new(),
        must_end: Vec::new(),
        must_begin: Vec::new(),
    };
    if model.by_points() {
        let from = to.from?;
        raise.must_end = limits_in_the_way(model, measures, reckoned, from);
        let lacking = from.0 - reckoned.sum.0;
        if lacking > 0 {
            raise.lacking = Some(MilliPoints(lacking));
            (raise.alone, raise.together) = steps(model, reckoned, lacking);
        }
    } else {
        raise.must_end = rules_in_the_way(model, measures, reckoned, target);
        raise.must_begin = rules_to_reach(model, reckoned, target);
    }
    raise.must_end.extend(chain_in_the_way(model, measures, reckoned, target));
    Some(raise)
}

/// The indicators that could give what is lacking: each alone, or else the fewest together.
fn steps(model: &Model, reckoned: &Reckoned, lacking: i64) -> (Vec<RaiseStep>, Vec<RaiseStep>) {
    let mut rooms: Vec<_> = model
        .indicators()
        .zip(&reckoned.earned)
        .map(|(placed, earned)| (placed.indicator, earned.0, placed.indicator.weight.0 - earned.0))
        .filter(|(_, _, room)| *room > 0)
        .collect();
    // The greatest room first: of it what is lacking is the least part.
    rooms.sort_by_key(|(indicator, _, room)| (std::cmp::Reverse(*room), indicator.no));
    let step = |(indicator, earned, room): &(&super::model::Indicator, i64, i64), more: i64| RaiseStep {
        no: indicator.no,
        room: MilliPoints(*room),
        with: needed(indicator, Points(earned + more)),
    };
    let alone: Vec<_> = rooms.iter().filter(|(_, _, room)| *room >= lacking).map(|one| step(one, lacking)).collect();
    if !alone.is_empty() {
        return (alone, Vec::new());
    }
    let mut together = Vec::new();
    let mut open = lacking;
    for one in &rooms {
        if open <= 0 {
            break;
        }
        let more = one.2.min(open);
        together.push(step(one, more));
        open -= more;
    }
    (alone, together)
}

/// Caps and vetoes that leave fewer points than the next better grade needs.
fn limits_in_the_way(model: &Model, measures: &Measures, reckoned: &Reckoned, from: Points) -> Vec<Blocker> {
    let file = model.file();
    let low = model.decisions().limits(&reckoned.asked).filter(|(_, most)| *most < from);
    low.filter_map(|(which, _)| {
        let (part, clause, when) = match which {
            LimitOf::Veto(at) => file.veto.get(at).map(|veto| (Part::Veto, &veto.clause, &veto.when))?,
            LimitOf::Cap(at) => file.cap.get(at).map(|cap| (Part::Cap, &cap.clause, &cap.when))?,
        };
        Some(must_end(model, measures, reckoned, (part, clause, when)))
    })
    .collect()
}

/// Rules that hold and give a grade worse than the next better one.
fn rules_in_the_way(model: &Model, measures: &Measures, reckoned: &Reckoned, target: usize) -> Vec<Blocker> {
    let (file, scheme) = (model.file(), model.scheme());
    let hold = model.decisions().rules_that_hold(&reckoned.asked);
    hold.into_iter()
        .filter_map(|at| {
            let rule =
                file.rule.get(at).filter(|rule| scheme.place(&rule.grade).is_some_and(|place| place > target))?;
            Some(must_end(model, measures, reckoned, (Part::Rule, &rule.clause, rule.when.as_ref()?)))
        })
        .collect()
}

/// Where the rest of all cases gets too bad a grade: the rules of which one must hold.
fn rules_to_reach(model: &Model, reckoned: &Reckoned, target: usize) -> Vec<String> {
    let (file, scheme) = (model.file(), model.scheme());
    let rest = file.rule.last().and_then(|rule| scheme.place(&rule.grade));
    if reckoned.own <= target || rest.is_none_or(|rest| rest <= target) {
        return Vec::new();
    }
    let good = file.rule.iter().filter(|rule| scheme.place(&rule.grade).is_some_and(|place| place <= target));
    good.filter_map(|rule| {
        let when = rule.when.as_ref()?;
        let conditions: Vec<_> =
            when.conditions().iter().map(|one| format!("{} {}", one.signal, describe_condition(one))).collect();
        let word = if matches!(when, When::Any(_)) { " or " } else { " and " };
        Some(format!("{}: {}", rule.clause, conditions.join(word)))
    })
    .collect()
}

/// What branches must become, where they keep the head from the next better grade.
fn chain_in_the_way(model: &Model, measures: &Measures, reckoned: &Reckoned, target: usize) -> Option<Blocker> {
    let branches = measures.branches()?;
    let (file, scheme) = (model.file(), model.scheme());
    let chain = file.chain.as_ref()?;
    let decided = model.decisions().chain(file, reckoned.own, Some(branches), &reckoned.asked)?;
    if decided.excepted || chain_allows(chain, scheme, branches.counted).is_some_and(|allowed| allowed <= target) {
        return None;
    }
    let most = (0..branches.counted)
        .rev()
        .find(|fewer| chain_allows(chain, scheme, *fewer).is_some_and(|allowed| allowed <= target))?;
    Some(Blocker {
        part: Part::Chain,
        clause: describe_chain_rule(chain, chain.rule.get(decided.rule)?),
        conditions: vec![format!("branches that are {}: {}, at most {most} needed", chain.counts, branches.counted)],
        ends_by_itself: None,
    })
}

fn must_end(
    model: &Model,
    measures: &Measures,
    reckoned: &Reckoned,
    (part, clause, when): (Part, &str, &When),
) -> Blocker {
    let file = model.file();
    let held = held(file, reckoned, when);
    let conditions = held.iter().map(|(place, condition)| in_words(model, measures, reckoned, *place, condition));
    let conditions = conditions.collect();
    let ends = held.iter().map(|(place, condition)| {
        let reading = model.signal_readings().get(*place)?;
        ends(reading, measures, condition)
    });
    // Of `any` all that hold must end: the last of them; of `all` one is enough: the first.
    let ends: Vec<Option<i32>> = ends.collect();
    let halves = match when {
        When::Any(_) => ends.iter().copied().collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max()),
        When::All(_) => ends.iter().flatten().copied().min(),
    };
    Blocker {
        part,
        clause: clause.to_owned(),
        conditions,
        ends_by_itself: halves.map(|halves| measures.period().plus(halves)),
    }
}

/// The conditions that hold, with the places of their signals.
fn held<'m>(file: &ModelFile, reckoned: &Reckoned, when: &'m When) -> Vec<(usize, &'m Condition)> {
    let place = |condition: &Condition| file.signal.iter().position(|signal| signal.id == condition.signal);
    let conditions = when.conditions().iter().filter_map(|condition| Some((place(condition)?, condition)));
    conditions.filter(|(place, condition)| holds(condition, reckoned.asked.get(*place).copied().flatten())).collect()
}

fn in_words(model: &Model, measures: &Measures, reckoned: &Reckoned, place: usize, condition: &Condition) -> String {
    let value = reckoned.asked.get(place).copied().flatten();
    let shown = value.map_or_else(String::new, Fraction::to_decimal_text);
    let mut text = format!("{} is {shown} and must no longer be {}", condition.signal, describe_condition(condition));
    if let Some(reading) = model.signal_readings().get(place) {
        let counted = reading.by_half_year(measures);
        let farthest = counted.last().map_or(0, |(back, _)| *back);
        for (back, count) in counted.into_iter().filter(|(_, count)| *count > 0) {
            let happened = measures.period().plus(-i32::from(back));
            let last = happened.plus(i32::from(farthest));
            // Writing to a String cannot fail.
            let _ = write!(text, "; {count} of {happened} counted until the round of {last}");
        }
    }
    text
}

/// In how many half-years a condition on a count ends if nothing more happens; nothing where time does not end it.
fn ends(reading: &Reading, measures: &Measures, condition: &Condition) -> Option<i32> {
    let farthest = reading.by_half_year(measures).last()?.0;
    (1..=i32::from(farthest) + 1).find(|halves| {
        let count = reading.count_later(measures, *halves);
        !holds(condition, Some(Fraction::whole(i64::try_from(count).unwrap_or(i64::MAX))))
    })
}
