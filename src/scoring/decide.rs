//! The decisions of a model: which rule gives the grade, which caps and vetoes apply, and how branches affect the head of
//! their chain. Signals are resolved to positions once; grades are positions in the scheme, 0 being the best.

use super::{
    evidence::MissingReason,
    model::{Chain, ChainRule, Condition, GradeRule, ModelFile, OwnWorseOutcome, Scheme, Signal, SignalMissing, When},
    number::{Fraction, Points},
    relations::Branches,
};
use crate::domain::{grade::NotRatedReason, words::words};

words! {
    /// A sort of rule in a model.
    Part: "part of a model" {
        /// A grade rule.
        Rule = "rule",
        /// A veto.
        Veto = "veto",
        /// A cap.
        Cap = "cap",
        /// A rule of the chain.
        Chain = "chain",
    }
}

/// The value of a signal in conditions; none where no condition on it is met.
pub(super) type SignalValue = Option<Fraction>;

/// The value of a signal in conditions, with its policy for missing data applied.
pub(super) fn signal_value(signal: &Signal, value: Result<Fraction, MissingReason>) -> SignalValue {
    match (value, signal.missing) {
        (Ok(value), _) => Some(value),
        (Err(_), SignalMissing::NoneHappened) => Some(Fraction::whole(0)),
        (Err(_), SignalMissing::NoConditionHolds) => None,
        (Err(_), SignalMissing::Value(value)) => Some(Fraction::of(value)),
    }
}

/// Whether a value meets a condition.
pub(super) fn holds(condition: &Condition, value: SignalValue) -> bool {
    // A missing value meets no condition, whatever the bounds are.
    let Some(value) = value else { return false };
    condition.at_least.is_none_or(|bound| value >= Fraction::of(bound))
        && condition.at_most.is_none_or(|bound| value <= Fraction::of(bound))
        && condition.above.is_none_or(|bound| value > Fraction::of(bound))
        && condition.below.is_none_or(|bound| value < Fraction::of(bound))
}

/// Conditions with the positions of their signals.
#[derive(Debug, Clone)]
struct Tests {
    any: bool,
    tests: Vec<(usize, Condition)>,
}

impl Tests {
    fn of(when: &When, file: &ModelFile) -> Option<Self> {
        // Resolved once for a model: a run evaluates them for every subject.
        let place = |id: &str| file.signal.iter().position(|signal| signal.id == id);
        let tests = when.conditions().iter().map(|condition| Some((place(&condition.signal)?, condition.clone())));
        Some(Self { any: matches!(when, When::Any(_)), tests: tests.collect::<Option<_>>()? })
    }

    fn hold(&self, signals: &[SignalValue]) -> bool {
        let mut each =
            self.tests.iter().map(|(place, condition)| holds(condition, signals.get(*place).copied().flatten()));
        if self.any { each.any(|holds| holds) } else { each.all(|holds| holds) }
    }
}

/// A cap or veto with its resolved conditions.
#[derive(Debug, Clone)]
struct Limit {
    which: LimitOf,
    tests: Tests,
    most: Points,
}

/// A cap or veto by its position in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitOf {
    Veto(usize),
    Cap(usize),
}

/// The resolved rules, limits and chain rules of a model.
#[derive(Debug, Clone)]
pub(super) struct Decisions {
    rules: Vec<(Option<Tests>, usize)>,
    limits: Vec<Limit>,
    chain: Vec<ChainTests>,
    exceptions: Vec<(NotRatedReason, Tests)>,
}

#[derive(Debug, Clone)]
struct ChainTests {
    unless: Option<Tests>,
    effect: Effect,
}

#[derive(Debug, Clone, Copy)]
enum Effect {
    Best(usize),
    Direct(usize),
}

/// The effect of branches on the head of their chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChainDecided {
    /// The position of the chain rule for this number of branches.
    pub(super) rule: usize,
    /// Whether the exception of the rule applies, so that it has no effect.
    pub(super) excepted: bool,
    /// The position of the resulting grade.
    pub(super) grade: usize,
}

impl Decisions {
    /// Resolves the decisions of a model; `None` only for an unknown name, which the check refuses.
    pub(super) fn of(file: &ModelFile) -> Option<Self> {
        let scheme = &file.scheme;
        let rule = |rule: &GradeRule| {
            // A rule without conditions is the last one, for all other cases.
            let tests = match &rule.when {
                Some(when) => Some(Tests::of(when, file)?),
                None => None,
            };
            Some((tests, scheme.place(&rule.grade)?))
        };
        let chain = file.chain.iter().flat_map(|chain| &chain.rule).map(|rule| ChainTests::of(rule, file));
        let exceptions = file.not_rated.except.iter().map(|of| Some((of.case, Tests::of(&of.when, file)?)));
        Some(Self {
            rules: file.rule.iter().map(rule).collect::<Option<_>>()?,
            limits: limits(file)?,
            chain: chain.collect::<Option<_>>()?,
            exceptions: exceptions.collect::<Option<_>>()?,
        })
    }

    /// The first rule that applies, and its grade. `None` only for a model without a last rule, which the check refuses.
    pub(super) fn rule(&self, signals: &[SignalValue]) -> Option<(usize, usize)> {
        let first = self.rules.iter().position(|(tests, _)| tests.as_ref().is_none_or(|tests| tests.hold(signals)))?;
        self.rules.get(first).map(|(_, grade)| (first, *grade))
    }

    /// Every rule with conditions that applies.
    pub(super) fn rules_that_hold(&self, signals: &[SignalValue]) -> Vec<usize> {
        let holding = |(_, (tests, _)): &(usize, &(Option<Tests>, usize))| {
            tests.as_ref().is_some_and(|tests| tests.hold(signals))
        };
        self.rules.iter().enumerate().filter(holding).map(|(at, _)| at).collect()
    }

    /// Every cap and veto that applies, with the most points it allows; vetoes first.
    pub(super) fn limits(&self, signals: &[SignalValue]) -> impl Iterator<Item = (LimitOf, Points)> {
        self.limits.iter().filter(|limit| limit.tests.hold(signals)).map(|limit| (limit.which, limit.most))
    }

    /// Whether a reason of not being rated does not apply.
    pub(super) fn excepts(&self, reason: NotRatedReason, signals: &[SignalValue]) -> bool {
        self.exceptions.iter().any(|(case, tests)| *case == reason && tests.hold(signals))
    }

    /// The fewest points that a cap or veto allows among those with a condition on a signal.
    pub(super) fn most_where(&self, concerns: impl Fn(usize) -> bool) -> Option<Points> {
        let concerned = |limit: &&Limit| limit.tests.tests.iter().any(|(place, _)| concerns(*place));
        self.limits.iter().filter(concerned).map(|limit| limit.most).min()
    }

    /// The effect of branches on a head with this own grade; none for a head without a counted branch.
    pub(super) fn chain(
        &self,
        file: &ModelFile,
        own: usize,
        branches: Option<Branches>,
        signals: &[SignalValue],
    ) -> Option<ChainDecided> {
        let (chain, branches) = (file.chain.as_ref()?, branches?);
        // No rule covers zero branches, so a head without counted ones keeps its grade.
        let rule = chain.rule.iter().position(|rule| rule.covers(branches.counted))?;
        let tests = self.chain.get(rule)?;
        let excepted = tests.unless.as_ref().is_some_and(|unless| unless.hold(signals));
        let grade = if excepted { own } else { tests.effect.on(own, chain.own_worse.outcome) };
        Some(ChainDecided { rule, excepted, grade })
    }
}

impl ChainTests {
    fn of(rule: &ChainRule, file: &ModelFile) -> Option<Self> {
        let place = |code: &String| file.scheme.place(code);
        let effect = match (&rule.best, &rule.direct) {
            (Some(best), None) => Effect::Best(place(best)?),
            (None, Some(direct)) => Effect::Direct(place(direct)?),
            // Both effects or neither: the check refuses such a rule.
            _ => return None,
        };
        let unless = match &rule.unless {
            Some(when) => Some(Tests::of(when, file)?),
            None => None,
        };
        Some(Self { unless, effect })
    }
}

impl Effect {
    /// The grade of a head with this own grade.
    fn on(self, own: usize, own_worse: OwnWorseOutcome) -> usize {
        match self {
            // Places count from the best, so the greater one is the worse grade.
            Self::Best(best) => own.max(best),
            Self::Direct(direct) if own > direct && own_worse == OwnWorseOutcome::Stands => own,
            Self::Direct(direct) => direct,
        }
    }
}

/// The best grade that a head can have with this number of counted branches, leaving exceptions aside.
pub(super) fn chain_allows(chain: &Chain, scheme: &Scheme, branches: u32) -> Option<usize> {
    // No rule for this number: the chain limits nothing.
    let Some(rule) = chain.rule.iter().find(|rule| rule.covers(branches)) else { return Some(0) };
    rule.best.as_ref().or(rule.direct.as_ref()).and_then(|code| scheme.place(code))
}

fn limits(file: &ModelFile) -> Option<Vec<Limit>> {
    let most_of = |code: &str| file.scheme.most_of(file.scheme.place(code)?);
    let mut limits = Vec::with_capacity(file.veto.len() + file.cap.len());
    for (at, veto) in file.veto.iter().enumerate() {
        let (tests, most) = (Tests::of(&veto.when, file)?, most_of(&veto.grade)?);
        limits.push(Limit { which: LimitOf::Veto(at), tests, most });
    }
    for (at, cap) in file.cap.iter().enumerate() {
        let most = match (cap.at, &cap.grade) {
            (Some(at), _) => at,
            (None, Some(grade)) => most_of(grade)?,
            (None, None) => return None,
        };
        limits.push(Limit { which: LimitOf::Cap(at), tests: Tests::of(&cap.when, file)?, most });
    }
    Some(limits)
}
