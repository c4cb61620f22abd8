//! Applies a model to the measures of a subject.

use super::{
    assessment::{Assessment, Decision, Finding, Outcome, Parts, SignalFinding},
    computed::{Computed, code_at},
    decide::{LimitOf, Part, holds},
    describe::{describe_chain_rule, describe_condition},
    evidence::MissingReason,
    improvement::improvement,
    measures::Measures,
    model::{Indicator, Level1, Model, ModelFile, When},
    number::{Decimal, Fraction, Points},
    score::{earn, fired},
    terms::{Terms, shown_value},
};
use crate::{
    domain::money::MilliPoints,
    i18n::{Lang, score as text},
};

/// Computes points and grade without the explanation, for runs over millions of subjects.
pub fn rate(model: &Model, measures: &Measures) -> Outcome {
    let computed = Computed::of(model, measures);
    let grade = computed.code(model);
    let parts = if model.by_points() {
        Parts::Points(computed.earned)
    } else {
        let exact = |value: &Result<Fraction, MissingReason>| value.ok().map(|value| value.to_string());
        Parts::Signals(computed.signals.iter().map(exact).collect())
    };
    Outcome { points: computed.points, grade, parts }
}

/// Applies a model and explains the outcome. The same facts give the same assessment in any order (I5).
pub fn evaluate(model: &Model, measures: &Measures) -> Assessment {
    evaluate_in(model, measures, Lang::En)
}

/// The same, explained in a language.
pub fn evaluate_in(model: &Model, measures: &Measures, lang: Lang) -> Assessment {
    let terms = Terms::of(lang, model.file());
    let computed = Computed::of(model, measures);
    let findings = model
        .indicators()
        .zip(model.indicator_values())
        .zip(computed.values.iter().zip(&computed.earned))
        .map(|((placed, resolved), (value, earned))| Finding {
            no: placed.indicator.no,
            value: value.ok().map(|value| value.to_string()),
            shown: value.ok().map(Fraction::to_decimal_text),
            missing: value.err(),
            rule: fired(placed.indicator, *value, lang),
            points: *earned,
            records: resolved.evidence(measures),
        })
        .collect();
    let signals = model
        .file()
        .signal
        .iter()
        .zip(model.signal_values())
        .zip(&computed.signals)
        .map(|((signal, resolved), value)| SignalFinding {
            signal: signal.id.clone(),
            value: value.ok().map(|value| value.to_string()),
            shown: value.ok().map(Fraction::to_decimal_text),
            missing: value.err(),
            records: resolved.evidence(measures),
        })
        .collect();
    Assessment {
        points: computed.points,
        grade: computed.code(model),
        findings,
        signals,
        branches: measures.branches(),
        decisions: decisions(model, measures, &computed, terms),
        raise: improvement(model, measures, &computed, terms),
    }
}

/// Every rule, cap, veto and chain rule that applies.
fn decisions(model: &Model, measures: &Measures, computed: &Computed, terms: Terms<'_>) -> Vec<Decision> {
    let file = model.file();
    let mut decisions = Vec::new();
    if model.by_points() {
        for (which, most) in model.decisions().limits(&computed.signal_values) {
            decisions.push(limit(model, computed, which, most, terms));
        }
    } else {
        let decisive = model.decisions().rule(&computed.signal_values).map(|(rule, _)| rule);
        let mut hold = model.decisions().rules_that_hold(&computed.signal_values);
        // The last rule has no conditions: it is listed only where no other rule applies.
        hold.extend(decisive.filter(|rule| !hold.contains(rule)));
        for at in hold {
            let Some(rule) = file.rule.get(at) else { continue };
            decisions.push(Decision {
                part: Part::Rule,
                clause: rule.clause.clone(),
                grade: rule.grade.clone(),
                at_most: None,
                because: because(file, rule.when.as_ref(), computed, terms),
                decides: decisive == Some(at),
            });
        }
    }
    decisions.extend(chain(model, measures, computed, terms));
    decisions
}

fn limit(model: &Model, computed: &Computed, which: LimitOf, most: Points, terms: Terms<'_>) -> Decision {
    let file = model.file();
    let (part, clause, when) = match which {
        LimitOf::Veto(at) => {
            (Part::Veto, file.veto.get(at).map(|veto| &veto.clause), file.veto.get(at).map(|veto| &veto.when))
        }
        LimitOf::Cap(at) => (Part::Cap, file.cap.get(at).map(|cap| &cap.clause), file.cap.get(at).map(|cap| &cap.when)),
    };
    Decision {
        part,
        // The position comes from the same file, so there is a clause.
        clause: clause.cloned().unwrap_or_default(),
        grade: model.grade_of(most.milli()),
        at_most: Some(most.milli()),
        because: because(file, when, computed, terms),
        // A limit that the points did not reach applies without deciding anything.
        decides: computed.points == Some(most.milli()) && computed.sum > most.milli(),
    }
}

fn chain(model: &Model, measures: &Measures, computed: &Computed, terms: Terms<'_>) -> Option<Decision> {
    let lang = terms.lang();
    let branches = measures.branches()?;
    let chain = model.file().chain.as_ref()?;
    let decided = model.decisions().chain(model.file(), computed.own, Some(branches), &computed.signal_values)?;
    let rule = chain.rule.get(decided.rule)?;
    let mut because = vec![text::because_branches(lang, branches.counted, branches.of, terms.grade(&chain.counts))];
    if decided.excepted {
        because.extend(self::because(model.file(), rule.unless.as_ref(), computed, terms));
        because.push(text::because_excepted(lang).to_owned());
    }
    Some(Decision {
        part: Part::Chain,
        clause: describe_chain_rule(chain, rule, terms),
        grade: code_at(model, decided.grade),
        at_most: None,
        because,
        decides: decided.grade != computed.own,
    })
}

/// The conditions that are met, in words.
fn because(file: &ModelFile, when: Option<&When>, computed: &Computed, terms: Terms<'_>) -> Vec<String> {
    let Some(when) = when else { return Vec::new() };
    let met = when.conditions().iter().filter_map(|condition| {
        let place = file.signal.iter().position(|signal| signal.id == condition.signal)?;
        // With the policy for missing data applied, as the decision saw it.
        let value = computed.signal_values.get(place).copied().flatten()?;
        let bounds = describe_condition(condition, terms.lang());
        holds(condition, Some(value))
            .then(|| text::because(terms.lang(), terms.signal(&condition.signal), shown_value(value), bounds))
    });
    met.collect()
}

/// The first-level totals of points by indicator in the model's order: the only points below the total that banks see (I4).
pub fn first_levels(model: &ModelFile, points: &[MilliPoints]) -> Vec<MilliPoints> {
    let mut points = points.iter();
    let of_level = |level: &Level1| {
        let indicators = level.level2.iter().map(|level| level.indicator.len()).sum();
        MilliPoints(points.by_ref().take(indicators).fold(0, |sum, earned| sum.saturating_add(earned.0)))
    };
    model.level1.iter().map(of_level).collect()
}

/// The total alone; zero under a model that grades by rules.
pub fn total(model: &Model, measures: &Measures) -> MilliPoints {
    Computed::of(model, measures).points.unwrap_or_default()
}

/// The points of all indicators together, before caps and vetoes limit them.
pub fn unlimited_total(model: &Model, measures: &Measures) -> MilliPoints {
    Computed::of(model, measures).sum
}

/// The points that one indicator gives for a value, whatever it measures.
pub fn points_of_value(indicator: &Indicator, value: Decimal) -> MilliPoints {
    earn(indicator, Ok(Fraction::of(value))).milli()
}
