//! What the conditions of a model decide: which rule gives the grade, which caps and vetoes hold, what branches do to
//! the head of their chain. Signals are looked up once, by place; grades are places of the scheme, 0 being the best.

use super::{
    measures::{Branches, Lack},
    model::{Chain, ChainRule, Condition, GradeRule, ModelFile, OwnWorseOutcome, Scheme, Signal, SignalMissing, When},
    number::{Fraction, Points},
};

/// A signal as conditions see it; nothing where no condition on it holds.
pub(super) type Asked = Option<Fraction>;

/// What a signal is to conditions, with its policy where data is missing.
pub(super) fn asked(signal: &Signal, value: Result<Fraction, Lack>) -> Asked {
    match (value, signal.missing) {
        (Ok(value), _) => Some(value),
        (Err(_), SignalMissing::NoneHappened) => Some(Fraction::whole(0)),
        (Err(_), SignalMissing::NoConditionHolds) => None,
        (Err(_), SignalMissing::Value(value)) => Some(Fraction::of(value)),
    }
}

/// Whether a condition holds for a value.
pub(super) fn holds(condition: &Condition, value: Asked) -> bool {
    let Some(value) = value else { return false };
    condition.at_least.is_none_or(|bound| value >= Fraction::of(bound))
        && condition.at_most.is_none_or(|bound| value <= Fraction::of(bound))
        && condition.above.is_none_or(|bound| value > Fraction::of(bound))
        && condition.below.is_none_or(|bound| value < Fraction::of(bound))
}

/// Conditions with the places of their signals.
#[derive(Debug, Clone)]
struct Tests {
    any: bool,
    tests: Vec<(usize, Condition)>,
}

impl Tests {
    fn of(when: &When, file: &ModelFile) -> Option<Self> {
        let place = |id: &str| file.signal.iter().position(|signal| signal.id == id);
        let tests = when.conditions().iter().map(|condition| Some((place(&condition.signal)?, condition.clone())));
        Some(Self { any: matches!(when, When::Any(_)), tests: tests.collect::<Option<_>>()? })
    }

    fn hold(&self, signals: &[Asked]) -> bool {
        let mut each =
            self.tests.iter().map(|(place, condition)| holds(condition, signals.get(*place).copied().flatten()));
        if self.any { each.any(|holds| holds) } else { each.all(|holds| holds) }
    }
}

/// A cap or veto that is ready to be asked.
#[derive(Debug, Clone)]
struct Limit {
    which: LimitOf,
    tests: Tests,
    most: Points,
}

/// Which cap or veto of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitOf {
    Veto(usize),
    Cap(usize),
}

/// What the conditions of a model decide.
#[derive(Debug, Clone)]
pub(super) struct Decisions {
    rules: Vec<(Option<Tests>, usize)>,
    limits: Vec<Limit>,
    chain: Vec<ChainTests>,
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

/// What branches did to the head of their chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChainDecided {
    /// Which rule of the chain is for so many branches.
    pub(super) rule: usize,
    /// Whether its exception holds, so that it does nothing.
    pub(super) excepted: bool,
    /// The grade that comes of it.
    pub(super) grade: usize,
}

impl Decisions {
    /// The decisions of a model; `None` only where a name is not known, which the check has refused.
    pub(super) fn of(file: &ModelFile) -> Option<Self> {
        let scheme = &file.scheme;
        let rule = |rule: &GradeRule| {
            let tests = match &rule.when {
                Some(when) => Some(Tests::of(when, file)?),
                None => None,
            };
            Some((tests, scheme.place(&rule.grade)?))
        };
        let chain = file.chain.iter().flat_map(|chain| &chain.rule).map(|rule| ChainTests::of(rule, file));
        Some(Self {
            rules: file.rule.iter().map(rule).collect::<Option<_>>()?,
            limits: limits(file)?,
            chain: chain.collect::<Option<_>>()?,
        })
    }

    /// The first rule that holds, and its grade. `None` only for a model without a last rule, which the check refuses.
    pub(super) fn rule(&self, signals: &[Asked]) -> Option<(usize, usize)> {
        let first = self.rules.iter().position(|(tests, _)| tests.as_ref().is_none_or(|tests| tests.hold(signals)))?;
        self.rules.get(first).map(|(_, grade)| (first, *grade))
    }

    /// Every rule with conditions that holds.
    pub(super) fn rules_that_hold(&self, signals: &[Asked]) -> Vec<usize> {
        let holding = |(_, (tests, _)): &(usize, &(Option<Tests>, usize))| {
            tests.as_ref().is_some_and(|tests| tests.hold(signals))
        };
        self.rules.iter().enumerate().filter(holding).map(|(at, _)| at).collect()
    }

    /// Every cap and veto that holds, with the most points it leaves; vetoes first.
    pub(super) fn limits(&self, signals: &[Asked]) -> impl Iterator<Item = (LimitOf, Points)> {
        self.limits.iter().filter(|limit| limit.tests.hold(signals)).map(|limit| (limit.which, limit.most))
    }

    /// What branches do to a head of this grade of its own; nothing for a head none of whose branches is counted.
    pub(super) fn chain(
        &self,
        file: &ModelFile,
        own: usize,
        branches: Option<Branches>,
        signals: &[Asked],
    ) -> Option<ChainDecided> {
        let (chain, branches) = (file.chain.as_ref()?, branches?);
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
    fn on(self, own: usize, own_worse: OwnWorseOutcome) -> usize {
        match self {
            Self::Best(best) => own.max(best),
            Self::Direct(direct) if own > direct && own_worse == OwnWorseOutcome::Stands => own,
            Self::Direct(direct) => direct,
        }
    }
}

/// What a head comes to that would have the best grade of its own, by the number of its branches that are counted:
/// the exceptions left aside.
pub(super) fn chain_allows(chain: &Chain, scheme: &Scheme, branches: u32) -> Option<usize> {
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
