//! The parts of a model in words.

use super::model::{
    Chain, ChainRule, Condition, Indicator, Missing, OwnWorseOutcome, PeerGroup, ScoreForm, Signal, SignalMissing,
    SubjectDay, ValueForm, When,
};

/// An indicator's rule in one line: the value, how it earns points, and the policy for missing data.
pub fn describe_rule(indicator: &Indicator) -> String {
    let value = describe_value(&indicator.value);
    format!("{value} -> {}; {}", describe_score(indicator), describe_missing(indicator))
}

/// The score form of an indicator in words.
pub(super) fn describe_score(indicator: &Indicator) -> String {
    match &indicator.score {
        ScoreForm::Linear { worst, best } => format!("in proportion from {worst} (0) to {best} ({})", indicator.weight),
        ScoreForm::PassThrough { out_of } => format!("as scored out of {out_of}"),
        ScoreForm::PerEvent { start, each } => format!("{start}, and {each} for each event"),
        ScoreForm::Bands(bands) => {
            let steps: Vec<String> = bands
                .iter()
                .map(|band| match band.below {
                    Some(below) => format!("below {below}: {}", band.points),
                    None => format!("else {}", band.points),
                })
                .collect();
            steps.join(", ")
        }
    }
}

/// The policy of an indicator for missing data, in words.
pub(super) fn describe_missing(indicator: &Indicator) -> String {
    match indicator.missing {
        Missing::NoneHappened => "no record means none".to_owned(),
        Missing::Zero => "without data 0".to_owned(),
        Missing::Full => format!("without data {}", indicator.weight),
        Missing::Points(points) => format!("without data {points}"),
    }
}

/// A value form in words.
pub(super) fn describe_value(value: &ValueForm) -> String {
    match value {
        ValueForm::Measure(id) => id.clone(),
        ValueForm::Ratio { numerator, denominator } => {
            let side = |ids: &[String]| match ids {
                [one] => one.clone(),
                many => format!("({})", many.join(" + ")),
            };
            format!("{} / {}", side(numerator), side(denominator))
        }
        ValueForm::Growth { of } => format!("growth of {}", describe_value(of)),
        ValueForm::Count { measures, periods_back } => {
            let when = match periods_back {
                [0, 0] => String::new(),
                [0, 1] => ", with the half-year before".to_owned(),
                [0, back] => format!(", with {back} half-years before"),
                [nearest, farthest] => format!(", {nearest} to {farthest} half-years before"),
            };
            format!("number of {}{when}", measures.join(" + "))
        }
        ValueForm::PeerPercentile { of, among, least } => {
            format!("{}, with at least {least} others", describe_peers(of, *among))
        }
        ValueForm::Age { since: SubjectDay::AgreementSignedOn } => "months since the agreement was signed".to_owned(),
    }
}

/// A comparison with peers in words, which is also its name.
pub(super) fn describe_peers(of: &ValueForm, among: PeerGroup) -> String {
    format!("percentile of {} among the {}", describe_value(of), among.as_str())
}

/// The bounds of a condition in words.
pub fn describe_condition(condition: &Condition) -> String {
    let bounds = [
        ("at least", condition.at_least),
        ("at most", condition.at_most),
        ("above", condition.above),
        ("below", condition.below),
    ];
    let given = bounds.iter().filter_map(|(word, bound)| bound.map(|bound| format!("{word} {bound}")));
    given.collect::<Vec<_>>().join(" and ")
}

/// Conditions in words.
pub fn describe_when(when: &When) -> String {
    let conditions: Vec<_> =
        when.conditions().iter().map(|one| format!("{} is {}", one.signal, describe_condition(one))).collect();
    conditions.join(if matches!(when, When::Any(_)) { " or " } else { " and " })
}

/// A signal in one line: the value, and the policy for missing data.
pub fn describe_signal(signal: &Signal) -> String {
    let missing = match signal.missing {
        SignalMissing::NoneHappened => "no record means none".to_owned(),
        SignalMissing::NoConditionHolds => "without data no condition on it is met".to_owned(),
        SignalMissing::Value(value) => format!("without data {value}"),
    };
    format!("{}; {missing}", describe_value(&signal.value))
}

/// A rule of a chain in words.
pub fn describe_chain_rule(chain: &Chain, rule: &ChainRule) -> String {
    let number = match rule.to {
        Some(to) if to == rule.from => format!("{to}"),
        Some(to) => format!("{} to {to}", rule.from),
        None => format!("{} or more", rule.from),
    };
    let effect = match (&rule.best, &rule.direct) {
        (Some(best), _) => format!("at best {best}"),
        (None, Some(direct)) => format!("{direct} directly"),
        (None, None) => String::new(),
    };
    let unless = rule.unless.as_ref().map(|when| format!(", unless {}", describe_when(when))).unwrap_or_default();
    let branches = if number == "1" { "branch" } else { "branches" };
    format!("{number} {branches} {}: {effect}{unless}", chain.counts)
}

/// The grade that counts where a head's own grade is worse than the one of a chain rule, in words.
pub fn describe_own_worse(outcome: OwnWorseOutcome) -> &'static str {
    match outcome {
        OwnWorseOutcome::Stands => "a head keeps its own grade where it is worse than one given directly",
        OwnWorseOutcome::Replaced => "a grade given directly replaces the head's own grade, even a worse one",
    }
}
