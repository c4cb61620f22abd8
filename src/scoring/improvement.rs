//! What would raise a subject's grade. Under a points model: the indicators that could add the missing points, and from
//! which value on. For rules, caps, vetoes and chains: what must no longer apply, and when it ends by itself.

use serde::{Deserialize, Serialize};

use super::{
    computed::Computed,
    decide::{LimitOf, Part, chain_allows, holds},
    describe::{describe_chain_rule, describe_condition, joined_by},
    measures::Measures,
    model::{Condition, Model, ModelFile, When},
    number::{Fraction, Points},
    resolved::ResolvedValue,
    score::needed,
    terms::{Terms, shown_value},
};
use crate::{
    domain::{HalfYear, money::MilliPoints},
    i18n::{Lang, score as text},
};

/// A subject's result under a model, with the language to describe it in.
#[derive(Clone, Copy)]
struct Seen<'a> {
    model: &'a Model,
    measures: &'a Measures,
    computed: &'a Computed,
    terms: Terms<'a>,
}

/// What would raise a grade to the next better one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Improvement {
    /// The next better grade.
    pub to: String,
    /// The missing points; none under a model that grades by rules, or where only a cap or veto blocks the better grade.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lacking: Option<MilliPoints>,
    /// Indicators that could each add them alone, the one with the most remaining points first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub alone: Vec<ImprovementStep>,
    /// Where none could alone: the fewest indicators that could together, those with the most remaining points.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub together: Vec<ImprovementStep>,
    /// What applies now and must no longer apply.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub must_end: Vec<Blocker>,
    /// Where no rule with conditions gave the grade: the rules of which one must apply.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub must_begin: Vec<String>,
}

/// The points that one indicator could add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImprovementStep {
    /// The number of the indicator.
    pub no: u16,
    /// The points that it can still add.
    pub room: MilliPoints,
    /// The values with which it adds its part of the missing points, in words.
    pub with: String,
}

/// A rule that applies and blocks the better grade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// The sort of rule.
    pub part: Part,
    /// The clause that it is cited by.
    pub clause: String,
    /// The conditions that are met and must change, in words.
    pub conditions: Vec<String>,
    /// The half-year from which on it no longer applies unless new events happen, because old events leave the window.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ends_by_itself: Option<HalfYear>,
}

/// What would raise the grade; `None` for the best grade.
pub(super) fn improvement(
    model: &Model,
    measures: &Measures,
    computed: &Computed,
    terms: Terms<'_>,
) -> Option<Improvement> {
    // There is nothing above the first place.
    let target = computed.grade.checked_sub(1)?;
    let to = model.scheme().grade.get(target)?;
    let seen = Seen { model, measures, computed, terms };
    let mut improvement = Improvement {
        to: to.code.clone(),
        lacking: None,
        alone: Vec::new(),
        together: Vec::new(),
        must_end: Vec::new(),
        must_begin: Vec::new(),
    };
    if model.by_points() {
        let from = to.from?;
        improvement.must_end = blocking_limits(&seen, from);
        // From the sum before limits: a limit is among what must end, and takes no points to be earned again.
        let lacking = from.0 - computed.sum.0;
        if lacking > 0 {
            improvement.lacking = Some(MilliPoints(lacking));
            (improvement.alone, improvement.together) = steps(model, computed, lacking, terms.lang());
        }
    } else {
        improvement.must_end = blocking_rules(&seen, target);
        improvement.must_begin = rules_to_reach(model, computed, target, terms);
    }
    improvement.must_end.extend(blocking_chain(&seen, target));
    Some(improvement)
}

/// The indicators that could add the missing points: each alone, or else the fewest together.
fn steps(model: &Model, computed: &Computed, lacking: i64, lang: Lang) -> (Vec<ImprovementStep>, Vec<ImprovementStep>) {
    let mut rooms: Vec<_> = model
        .indicators()
        .zip(&computed.earned)
        .map(|(placed, earned)| (placed.indicator, earned.0, placed.indicator.weight.0 - earned.0))
        .filter(|(_, _, room)| *room > 0)
        .collect();
    // The most remaining points first: the missing ones are the smallest part of them.
    rooms.sort_by_key(|(indicator, _, room)| (std::cmp::Reverse(*room), indicator.no));
    let step = |(indicator, earned, room): &(&super::model::Indicator, i64, i64), more: i64| ImprovementStep {
        no: indicator.no,
        room: MilliPoints(*room),
        with: needed(indicator, Points(earned + more), lang),
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

/// Caps and vetoes that allow fewer points than the next better grade needs.
fn blocking_limits(seen: &Seen<'_>, from: Points) -> Vec<Blocker> {
    let Seen { model, computed, .. } = *seen;
    let file = model.file();
    let low = model.decisions().limits(&computed.signal_values).filter(|(_, most)| *most < from);
    low.filter_map(|(which, _)| {
        let (part, clause, when) = match which {
            LimitOf::Veto(at) => file.veto.get(at).map(|veto| (Part::Veto, &veto.clause, &veto.when))?,
            LimitOf::Cap(at) => file.cap.get(at).map(|cap| (Part::Cap, &cap.clause, &cap.when))?,
        };
        Some(blocker(seen, part, clause, when))
    })
    .collect()
}

/// Rules that apply and give a grade worse than the next better one.
fn blocking_rules(seen: &Seen<'_>, target: usize) -> Vec<Blocker> {
    let Seen { model, computed, .. } = *seen;
    let (file, scheme) = (model.file(), model.scheme());
    let hold = model.decisions().rules_that_hold(&computed.signal_values);
    hold.into_iter()
        .filter_map(|at| {
            let rule =
                file.rule.get(at).filter(|rule| scheme.place(&rule.grade).is_some_and(|place| place > target))?;
            Some(blocker(seen, Part::Rule, &rule.clause, rule.when.as_ref()?))
        })
        .collect()
}

/// The rules of which one must apply, where the last rule, for all other cases, gives too low a grade.
fn rules_to_reach(model: &Model, computed: &Computed, target: usize, terms: Terms<'_>) -> Vec<String> {
    let (file, scheme) = (model.file(), model.scheme());
    let rest = file.rule.last().and_then(|rule| scheme.place(&rule.grade));
    // Nothing need begin where the own grade suffices, or where the last rule gives the better grade already.
    if computed.own <= target || rest.is_none_or(|rest| rest <= target) {
        return Vec::new();
    }
    let good = file.rule.iter().filter(|rule| scheme.place(&rule.grade).is_some_and(|place| place <= target));
    good.filter_map(|rule| {
        let when = rule.when.as_ref()?;
        let lang = terms.lang();
        let conditions: Vec<_> = when
            .conditions()
            .iter()
            .map(|one| text::condition_in_rule(lang, terms.signal(&one.signal), describe_condition(one, lang)))
            .collect();
        Some(text::rule_conditions(lang, &rule.clause, conditions.join(joined_by(when, lang))))
    })
    .collect()
}

/// The chain rule that blocks the next better grade of a head.
fn blocking_chain(seen: &Seen<'_>, target: usize) -> Option<Blocker> {
    let Seen { model, measures, computed, terms } = *seen;
    let branches = measures.branches()?;
    let (file, scheme) = (model.file(), model.scheme());
    let chain = file.chain.as_ref()?;
    let decided = model.decisions().chain(file, computed.own, Some(branches), &computed.signal_values)?;
    // An exception takes the rule's effect away, and a number of branches that allows the grade does not block it.
    if decided.excepted || chain_allows(chain, scheme, branches.counted).is_some_and(|allowed| allowed <= target) {
        return None;
    }
    // The greatest smaller number that allows the better grade: rules need not get stricter one by one.
    let most = (0..branches.counted)
        .rev()
        .find(|fewer| chain_allows(chain, scheme, *fewer).is_some_and(|allowed| allowed <= target))?;
    Some(Blocker {
        part: Part::Chain,
        clause: describe_chain_rule(chain, chain.rule.get(decided.rule)?, terms),
        conditions: vec![text::branches_allowed(terms.lang(), terms.grade(&chain.counts), branches.counted, most)],
        ends_by_itself: None,
    })
}

/// A rule as a blocker, with the conditions that are met.
fn blocker(seen: &Seen<'_>, part: Part, clause: &str, when: &When) -> Blocker {
    let Seen { model, measures, computed, .. } = *seen;
    let file = model.file();
    let met = conditions_met(file, computed, when);
    let conditions = met.iter().map(|(place, condition)| in_words(seen, *place, condition));
    let conditions = conditions.collect();
    let ends = met.iter().map(|(place, condition)| {
        let value = model.signal_values().get(*place)?;
        ends(value, measures, condition)
    });
    // With `any`, all conditions that are met must end: the last one counts. With `all`, the first one to end is enough.
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

/// The conditions that are met, with the positions of their signals.
fn conditions_met<'m>(file: &ModelFile, computed: &Computed, when: &'m When) -> Vec<(usize, &'m Condition)> {
    let place = |condition: &Condition| file.signal.iter().position(|signal| signal.id == condition.signal);
    let conditions = when.conditions().iter().filter_map(|condition| Some((place(condition)?, condition)));
    conditions
        .filter(|(place, condition)| holds(condition, computed.signal_values.get(*place).copied().flatten()))
        .collect()
}

fn in_words(seen: &Seen<'_>, place: usize, condition: &Condition) -> String {
    let Seen { model, measures, computed, terms } = *seen;
    let lang = terms.lang();
    let value = computed.signal_values.get(place).copied().flatten();
    let shown = value.map_or_else(String::new, shown_value);
    let bounds = describe_condition(condition, lang);
    let mut words = text::must_not_be(lang, terms.signal(&condition.signal), shown, bounds);
    if let Some(resolved) = model.signal_values().get(place) {
        let counted = resolved.by_half_year(measures);
        let farthest = counted.last().map_or(0, |(back, _)| *back);
        for (back, count) in counted.into_iter().filter(|(_, count)| *count > 0) {
            let happened = measures.period().plus(-i32::from(back));
            let last = happened.plus(i32::from(farthest));
            words.push_str(&text::counted_until(lang, count, happened, last));
        }
    }
    words
}

/// The number of half-years until a condition on a count ends without new events; none where time does not end it.
fn ends(resolved: &ResolvedValue, measures: &Measures, condition: &Condition) -> Option<i32> {
    // Nearest first, so the last one is the farthest; other forms than counts have none.
    let farthest = resolved.by_half_year(measures).last()?.0;
    // One half-year past the window at most: then no present event counts any more.
    (1..=i32::from(farthest) + 1).find(|halves| {
        let count = resolved.count_later(measures, *halves);
        !holds(condition, Some(Fraction::whole(i64::try_from(count).unwrap_or(i64::MAX))))
    })
}
