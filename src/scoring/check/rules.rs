//! The rules that signals, grade rules, caps, vetoes, chains and consequences must satisfy.

use std::collections::BTreeSet;

use super::check_value;
use crate::{
    domain::grade::NotRatedReason,
    scoring::{
        catalogue::{Catalogue, MeasureForm, is_snake_case},
        faults::{
            Faults,
            Step::{self, At, Key},
        },
        model::{Chain, ChainRule, ModelFile, Signal, SignalMissing, ValueForm, When},
    },
};

/// Checks the rules of a model and adds their faults.
pub(super) fn check_rules(model: &ModelFile, catalogue: &Catalogue, faults: &mut Faults<'_>) {
    let mut names = BTreeSet::new();
    for (at, signal) in model.signal.iter().enumerate() {
        let place = [Key("signal"), At(at)];
        faults.require(is_snake_case(&signal.id) && names.insert(&signal.id), &place, || {
            format!("{:?} cannot be a signal's name: snake_case, and each once", signal.id)
        });
        check_signal(signal, &place, catalogue, faults);
        faults.require(is_used(model, &signal.id), &place, || {
            format!("no condition refers to the signal {}: give it a condition or leave it out", signal.id)
        });
    }
    if model.by_points() {
        faults.require(model.rule.is_empty(), &[Key("rule")], || {
            "a model has either a tree or rules that give grades: for limits write [[cap]] or [[veto]]".into()
        });
        faults.require(model.chain.is_none(), &[Key("chain")], || "a chain needs a model that rates by rules".into());
    } else {
        faults.require(model.cap.is_empty(), &[Key("cap")], || "a cap needs points to limit".into());
        faults.require(model.veto.is_empty(), &[Key("veto")], || {
            "a veto needs points: in a model that rates by rules write it as the first rule".into()
        });
        check_grade_rules(model, faults);
    }
    check_limits(model, faults);
    if let Some(chain) = &model.chain {
        check_chain(model, chain, faults);
    }
    check_consequences(model, faults);
    check_other(model, catalogue, faults);
    check_exceptions(model, faults);
}

fn check_signal(signal: &Signal, place: &[Step], catalogue: &Catalogue, faults: &mut Faults<'_>) {
    let id = &signal.id;
    faults.require(!signal.name_zh.trim().is_empty(), place, || format!("the signal {id} has no name"));
    signal.origin().check(place, &format!("the signal {id}"), faults);
    let mut wrong = Vec::new();
    check_value(&signal.value, catalogue, &mut wrong);
    let counts = matches!(signal.value, ValueForm::Count { .. });
    match signal.missing {
        SignalMissing::NoneHappened if !counts => {
            wrong.push("`missing` can be \"none_happened\" only for a count of events".into());
        }
        SignalMissing::NoneHappened => {}
        _ if counts => wrong.push("a count has no missing data: write missing = \"none_happened\"".into()),
        SignalMissing::NoConditionHolds | SignalMissing::Value(_) => {}
    }
    for message in wrong {
        faults.add(place, format!("signal {id}: {message}"));
    }
}

fn is_used(model: &ModelFile, id: &str) -> bool {
    let rules = model.rule.iter().filter_map(|rule| rule.when.as_ref());
    let limits = model.cap.iter().map(|cap| &cap.when).chain(model.veto.iter().map(|veto| &veto.when));
    let chain = model.chain.iter().flat_map(|chain| chain.rule.iter().filter_map(|rule| rule.unless.as_ref()));
    let except = model.not_rated.except.iter().map(|exception| &exception.when);
    rules.chain(limits).chain(chain).chain(except).flat_map(When::conditions).any(|condition| condition.signal == id)
}

fn check_grade_rules(model: &ModelFile, faults: &mut Faults<'_>) {
    faults.require(!model.rule.is_empty(), &[], || {
        "there is neither a tree ([[level1]]) nor a rule ([[rule]]): nothing would give a grade".into()
    });
    for (at, rule) in model.rule.iter().enumerate() {
        let place = [Key("rule"), At(at)];
        let clause = &rule.clause;
        let last = at + 1 == model.rule.len();
        check_clause(clause, &place, faults);
        check_grade(model, &rule.grade, &place, faults);
        rule.origin().check(&place, &format!("the rule {clause}"), faults);
        match &rule.when {
            Some(_) if last => faults.add(
                &place,
                format!(
                    "the last rule, {clause}, must have no `when`: it covers every case that no rule before it covers"
                ),
            ),
            Some(when) => check_when(model, when, &place, clause, faults),
            None => faults.require(last, &place, || {
                format!("the rule {clause} has no `when`: no rule after it could ever apply")
            }),
        }
    }
    for (at, grade) in model.scheme.grade.iter().enumerate() {
        let given = model.rule.iter().any(|rule| rule.grade == grade.code);
        faults.require(given, &[Key("scheme"), Key("grade"), At(at)], || {
            format!("no rule gives the grade {}", grade.code)
        });
    }
}

fn check_limits(model: &ModelFile, faults: &mut Faults<'_>) {
    let best = |code: &str| model.scheme.place(code) == Some(0);
    for (at, cap) in model.cap.iter().enumerate() {
        let place = [Key("cap"), At(at)];
        let clause = &cap.clause;
        check_clause(clause, &place, faults);
        cap.origin().check(&place, &format!("the cap {clause}"), faults);
        check_when(model, &cap.when, &place, clause, faults);
        match (cap.at, &cap.grade) {
            (Some(most), None) => faults.require(most.0 >= 0 && most < model.total, &place, || {
                format!("the cap {clause} is at {most}, which limits nothing: the model has {} points", model.total)
            }),
            (None, Some(grade)) => {
                check_grade(model, grade, &place, faults);
                faults.require(!best(grade), &place, || format!("the cap {clause} allows the best grade"));
            }
            _ => faults.add(&place, format!("the cap {clause} needs either `at` or `grade`")),
        }
    }
    for (at, veto) in model.veto.iter().enumerate() {
        let place = [Key("veto"), At(at)];
        let clause = &veto.clause;
        check_clause(clause, &place, faults);
        veto.origin().check(&place, &format!("the veto {clause}"), faults);
        check_when(model, &veto.when, &place, clause, faults);
        check_grade(model, &veto.grade, &place, faults);
        faults.require(!best(&veto.grade), &place, || format!("the veto {clause} allows the best grade"));
    }
}

fn check_chain(model: &ModelFile, chain: &Chain, faults: &mut Faults<'_>) {
    let place = [Key("chain")];
    check_grade(model, &chain.counts, &place, faults);
    chain.origin().check(&place, "the chain", faults);
    let own = &chain.own_worse;
    own.origin().check(&[Key("chain"), Key("own_worse")], "what counts where a head's own grade is worse", faults);
    let mut next = Some(1);
    for (at, rule) in chain.rule.iter().enumerate() {
        let place = [Key("chain"), Key("rule"), At(at)];
        faults.require(next == Some(rule.from), &place, || match next {
            Some(next) => format!("the chain's rule begins at {} branches, but {next} is next", rule.from),
            None => "the chain's rule before this one already covers every greater number".into(),
        });
        faults.require(rule.to.is_none_or(|to| to >= rule.from), &place, || {
            "the chain's rule ends before it begins".into()
        });
        next = rule.to.map(|to| to.saturating_add(1));
        check_chain_rule(model, rule, &place, faults);
    }
    faults.require(!chain.rule.is_empty() && next.is_none(), &place, || {
        "the chain's rules must cover every number of branches: the last one has no `to`".into()
    });
}

fn check_chain_rule(model: &ModelFile, rule: &ChainRule, place: &[Step], faults: &mut Faults<'_>) {
    let what = format!("the chain's rule from {}", rule.from);
    rule.origin().check(place, &what, faults);
    match (&rule.best, &rule.direct) {
        (Some(grade), None) | (None, Some(grade)) => check_grade(model, grade, place, faults),
        _ => faults.add(place, format!("{what} needs either `best` or `direct`")),
    }
    if let Some(unless) = &rule.unless {
        check_when(model, unless, place, &what, faults);
    }
}

fn check_consequences(model: &ModelFile, faults: &mut Faults<'_>) {
    for (at, consequence) in model.consequence.iter().enumerate() {
        let place = [Key("consequence"), At(at)];
        check_grade(model, &consequence.grade, &place, faults);
        faults.require(consequence.after_consecutive >= 1, &place, || "after_consecutive must be at least 1".into());
        faults.require(!consequence.text_zh.trim().is_empty(), &place, || "say what is done".into());
        consequence.origin().check(&place, "the measure", faults);
    }
}

fn check_other(model: &ModelFile, catalogue: &Catalogue, faults: &mut Faults<'_>) {
    let place = [Key("not_rated")];
    let named = model.not_rated.reasons.contains(&NotRatedReason::Other);
    faults.require(named != model.not_rated.other.is_empty(), &place, || {
        "the reason \"other\" and the events that lead to it (`other`) go together".into()
    });
    for id in &model.not_rated.other {
        let event = catalogue.measure(id).is_some_and(|measure| measure.form == MeasureForm::Event);
        faults.require(event, &place, || format!("{id:?} is not an event of the catalogue of {}", catalogue.kind()));
    }
}

fn check_exceptions(model: &ModelFile, faults: &mut Faults<'_>) {
    for (at, exception) in model.not_rated.except.iter().enumerate() {
        let place = [Key("not_rated"), Key("except"), At(at)];
        let what = format!("the exception from {}", exception.case.as_str());
        exception.origin().check(&place, &what, faults);
        check_when(model, &exception.when, &place, &what, faults);
        faults.require(model.not_rated.reasons.contains(&exception.case), &place, || {
            format!("{what} needs the reason itself among `reasons`")
        });
        // The reason `other` is an event already: an exception from it would be a second decision about the same fact.
        faults.require(exception.case != NotRatedReason::Other, &place, || {
            "the reason \"other\" has no exception: its event is not reported then".into()
        });
    }
}

fn check_clause(clause: &str, place: &[Step], faults: &mut Faults<'_>) {
    faults.require(!clause.trim().is_empty(), place, || "say which clause this is".into());
}

fn check_grade(model: &ModelFile, code: &str, place: &[Step], faults: &mut Faults<'_>) {
    faults.require(model.scheme.grade(code).is_some(), place, || {
        let known: Vec<_> = model.scheme.grade.iter().map(|grade| grade.code.as_str()).collect();
        format!("{code:?} is no grade of the scheme, which has {}", known.join(", "))
    });
}

fn check_when(model: &ModelFile, when: &When, place: &[Step], what: &str, faults: &mut Faults<'_>) {
    faults.require(!when.conditions().is_empty(), place, || format!("{what} has no condition"));
    for condition in when.conditions() {
        let id = &condition.signal;
        faults.require(model.signal(id).is_some(), place, || {
            format!("{what} refers to the signal {id:?}, which the model does not have")
        });
        // The strictest bounds of both kinds: whether they exclude each other is judged below.
        let (least, most) = (condition.at_least.max(condition.above), [condition.at_most, condition.below]);
        let most = most.into_iter().flatten().min();
        faults.require(least.is_some() || most.is_some(), place, || format!("{what}: give a bound for {id}"));
        let strict = condition.above.is_some() || condition.below.is_some();
        let possible = match (least, most) {
            (Some(least), Some(most)) => least < most || (least == most && !strict),
            _ => true,
        };
        faults.require(possible, place, || format!("{what}: no value of {id} can be within the bounds"));
    }
}
