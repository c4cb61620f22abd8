//! The parts of a model in words.

use super::{
    model::{
        Chain, ChainRule, Condition, Indicator, Missing, OwnWorseOutcome, PeerGroup, ScoreForm, Signal, SignalMissing,
        SubjectDay, ValueForm, When,
    },
    number::Points,
    terms::Terms,
};
use crate::i18n::{Lang, number, score as text};

/// An indicator's rule in one line: the value, how it earns points, and the policy for missing data.
pub fn describe_rule(indicator: &Indicator, terms: Terms<'_>) -> String {
    let value = describe_value(&indicator.value, terms);
    let lang = terms.lang();
    let (score, missing) = (describe_score(indicator, lang), describe_missing(indicator, lang));
    format!("{value} -> {score}{}{missing}", text::clause_join(lang))
}

/// The score form of an indicator in words.
pub(super) fn describe_score(indicator: &Indicator, lang: Lang) -> String {
    match &indicator.score {
        ScoreForm::Linear { worst, best } => {
            text::score_linear(lang, number(worst), number(best), number(indicator.weight))
        }
        ScoreForm::PassThrough { out_of } => text::score_pass_through(lang, number(out_of)),
        ScoreForm::PerEvent { start, each } if each.0 < 0 => {
            text::score_fewer(lang, number(start), number(Points(each.0.saturating_neg())))
        }
        ScoreForm::PerEvent { start, each } => text::score_more(lang, number(start), number(each)),
        ScoreForm::Bands(bands) => {
            let steps: Vec<String> = bands
                .iter()
                .map(|band| match band.below {
                    Some(below) => text::band_below(lang, number(below), number(band.points)),
                    None => text::band_else(lang, number(band.points)),
                })
                .collect();
            steps.join(text::bands_join(lang))
        }
    }
}

/// The policy of an indicator for missing data, in words.
pub(super) fn describe_missing(indicator: &Indicator, lang: Lang) -> String {
    match indicator.missing {
        Missing::NoneHappened => text::missing_none(lang).to_owned(),
        Missing::Zero => text::missing_points(lang, 0),
        Missing::Full => text::missing_points(lang, number(indicator.weight)),
        Missing::Points(points) => text::missing_points(lang, number(points)),
    }
}

/// A value form in words.
pub fn describe_value(value: &ValueForm, terms: Terms<'_>) -> String {
    let lang = terms.lang();
    let sum = |ids: &[String]| ids.iter().map(|id| terms.measure(id)).collect::<Vec<_>>().join(" + ");
    match value {
        ValueForm::Measure(id) => terms.measure(id).to_owned(),
        ValueForm::Ratio { numerator, denominator } => {
            let side = |ids: &[String]| if ids.len() == 1 { sum(ids) } else { format!("({})", sum(ids)) };
            format!("{} / {}", side(numerator), side(denominator))
        }
        ValueForm::Growth { of } => text::growth_of(lang, describe_value(of, terms)),
        ValueForm::Count { measures, periods_back } => {
            let window = match periods_back {
                [0, 0] => String::new(),
                [0, 1] => text::window_before(lang).to_owned(),
                [0, back] => text::window_with(lang, back),
                [nearest, farthest] => text::window_between(lang, nearest, farthest),
            };
            text::count_of(lang, sum(measures), window)
        }
        ValueForm::PeerPercentile { of, among, least } => {
            text::peers_at_least(lang, describe_peers(of, *among, terms), least)
        }
        ValueForm::Age { since: SubjectDay::AgreementSignedOn } => text::agreement_age(lang).to_owned(),
    }
}

/// A comparison with peers in words. In English it is also the name by which runs store the comparison.
pub(super) fn describe_peers(of: &ValueForm, among: PeerGroup, terms: Terms<'_>) -> String {
    text::peer_percentile(terms.lang(), describe_value(of, terms), terms.peers(among))
}

/// The bounds of a condition in words.
pub fn describe_condition(condition: &Condition, lang: Lang) -> String {
    let Condition { at_least, at_most, above, below, .. } = condition;
    let bounds = [
        at_least.map(|bound| text::at_least(lang, number(bound))),
        at_most.map(|bound| text::at_most(lang, number(bound))),
        above.map(|bound| text::above(lang, number(bound))),
        below.map(|bound| text::below(lang, number(bound))),
    ];
    let given = bounds.into_iter().flatten();
    given.collect::<Vec<_>>().join(text::and(lang))
}

/// Conditions in words.
pub fn describe_when(when: &When, terms: Terms<'_>) -> String {
    let lang = terms.lang();
    let conditions: Vec<_> = when
        .conditions()
        .iter()
        .map(|one| text::condition(lang, terms.signal(&one.signal), describe_condition(one, lang)))
        .collect();
    conditions.join(joined_by(when, lang))
}

/// The word between two conditions.
pub(super) const fn joined_by(when: &When, lang: Lang) -> &'static str {
    match when {
        When::Any(_) => text::or(lang),
        When::All(_) => text::and(lang),
    }
}

/// The conditions of a rule in words; the last rule has none.
pub(super) fn describe_rule_when(when: Option<&When>, terms: Terms<'_>) -> String {
    when.map_or_else(|| text::every_other_case(terms.lang()).to_owned(), |when| describe_when(when, terms))
}

/// A signal in one line: the value, and the policy for missing data.
pub fn describe_signal(signal: &Signal, terms: Terms<'_>) -> String {
    let lang = terms.lang();
    let missing = match signal.missing {
        SignalMissing::NoneHappened => text::missing_none(lang).to_owned(),
        SignalMissing::NoConditionHolds => text::missing_no_condition(lang).to_owned(),
        SignalMissing::Value(value) => text::missing_value(lang, number(value)),
    };
    format!("{}{}{missing}", describe_value(&signal.value, terms), text::clause_join(lang))
}

/// A rule of a chain in words.
pub fn describe_chain_rule(chain: &Chain, rule: &ChainRule, terms: Terms<'_>) -> String {
    let lang = terms.lang();
    let number = match rule.to {
        Some(to) if to == rule.from => text::branches_exactly(lang, to),
        Some(to) => text::branches_up_to(lang, rule.from, to),
        None => text::branches_or_more(lang, rule.from),
    };
    let mut effect = match (&rule.best, &rule.direct) {
        (Some(best), _) => text::chain_best(lang, terms.grade(best)),
        (None, Some(direct)) => text::chain_direct(lang, terms.grade(direct)),
        (None, None) => String::new(),
    };
    if let Some(unless) = &rule.unless {
        effect.push_str(&text::chain_unless(lang, describe_when(unless, terms)));
    }
    let counts = terms.grade(&chain.counts);
    if rule.to == Some(1) {
        text::chain_one(lang, number, counts, effect)
    } else {
        text::chain_several(lang, number, counts, effect)
    }
}

/// The grade that counts where a head's own grade is worse than the one of a chain rule, in words.
pub const fn describe_own_worse(outcome: OwnWorseOutcome, lang: Lang) -> &'static str {
    match outcome {
        OwnWorseOutcome::Stands => text::own_stands(lang),
        OwnWorseOutcome::Replaced => text::own_replaced(lang),
    }
}
