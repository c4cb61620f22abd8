//! A model applied to what is known of a subject: points, grade, and how it came about.

use serde::{Deserialize, Serialize};

use super::{
    decide::{Asked, LimitOf, asked},
    describe::describe_condition,
    improvement::{Raise, raise},
    measures::{Branches, Evidence, Lack, Measures},
    model::{Indicator, Level1, Model, ModelFile, When},
    number::{Decimal, Fraction, Points},
    score::{earn, fired},
};
use crate::domain::{money::MilliPoints, words::words};

/// What one indicator came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The indicator's number.
    pub no: u16,
    /// What was measured, exactly: `3/400`. Absent where data was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// The same with four decimals, the rest cut off: what people read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shown: Option<String>,
    /// What the data lacked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missing: Option<Lack>,
    /// The part of the rule that fired, in words.
    pub rule: String,
    /// What it earned.
    pub points: MilliPoints,
    /// The records behind it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub records: Vec<Evidence>,
}

/// What one signal came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalFinding {
    /// The signal.
    pub signal: String,
    /// What was measured, exactly. Absent where data was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// The same with four decimals, the rest cut off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shown: Option<String>,
    /// What the data lacked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missing: Option<Lack>,
    /// The records behind it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub records: Vec<Evidence>,
}

words! {
    /// Which part of a model decided something.
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

/// A rule, cap, veto or chain rule that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What it is.
    pub part: Part,
    /// What it is known by.
    pub clause: String,
    /// The grade that it gives or is the best that it leaves.
    pub grade: String,
    /// The most points that it leaves, where it is a cap or veto.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at_most: Option<MilliPoints>,
    /// Its conditions that hold, in words.
    pub because: Vec<String>,
    /// Whether the grade, or the total, is what it is by this one.
    pub decides: bool,
}

/// What a subject's credit came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The total; none under a rule model.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub points: Option<MilliPoints>,
    /// The code of the grade.
    pub grade: String,
    /// Every indicator, in the model's order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<Finding>,
    /// Every signal, in the model's order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub signals: Vec<SignalFinding>,
    /// What came of a chain's branches, where the subject is the head of one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub branches: Option<Branches>,
    /// Every rule, cap, veto and chain rule that holds, in the order in which they are asked.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub decisions: Vec<Decision>,
    /// What would raise the grade; nothing where it is the best.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub raise: Option<Raise>,
}

/// What came of a subject, without how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The total; none under a rule model.
    pub points: Option<MilliPoints>,
    /// The code of the grade.
    pub grade: String,
    /// What the model's parts came to.
    pub parts: Parts,
}

/// What the parts of a model came to, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    /// The points of each indicator.
    Points(Vec<MilliPoints>),
    /// The exact value of each signal; nothing where data is missing.
    Signals(Vec<Option<String>>),
}

impl Parts {
    /// The form a run keeps.
    pub fn to_json(&self) -> String {
        // Infallible: lists of numbers or texts.
        match self {
            Self::Points(points) => serde_json::to_string(points).unwrap_or_default(),
            Self::Signals(values) => serde_json::to_string(values).unwrap_or_default(),
        }
    }
}

/// What is known before anything is told in words.
pub(super) struct Reckoned {
    pub(super) values: Vec<Result<Fraction, Lack>>,
    pub(super) signals: Vec<Result<Fraction, Lack>>,
    pub(super) asked: Vec<Asked>,
    pub(super) earned: Vec<MilliPoints>,
    /// The total before caps and vetoes.
    pub(super) sum: MilliPoints,
    pub(super) points: Option<MilliPoints>,
    /// The place of the grade of its own, before its branches count.
    pub(super) own: usize,
    /// The place of the grade.
    pub(super) grade: usize,
}

impl Reckoned {
    /// Applies a model: integers only; every indicator's points are cut to whole thousandths once, downwards; the total
    /// adds them up, is not rounded again, and is then held down by the lowest cap or veto.
    fn of(model: &Model, measures: &Measures) -> Self {
        let read = |readings: &[super::reading::Reading]| -> Vec<_> {
            readings.iter().map(|reading| reading.measure(measures)).collect()
        };
        let (values, signals) = (read(model.indicator_readings()), read(model.signal_readings()));
        let seen: Vec<Asked> =
            model.file().signal.iter().zip(&signals).map(|(signal, value)| asked(signal, *value)).collect();
        let earned: Vec<MilliPoints> =
            model.indicators().zip(&values).map(|(placed, value)| earn(placed.indicator, *value).milli()).collect();
        let sum = MilliPoints(earned.iter().fold(0i64, |sum, points| sum.saturating_add(points.0)));
        let scheme = model.scheme();
        let (points, own) = if model.by_points() {
            let total = model.decisions().limits(&seen).fold(sum.0, |total, (_, most)| total.min(most.0));
            let place = scheme.grade.iter().position(|grade| grade.from.is_none_or(|from| total >= from.0));
            (Some(MilliPoints(total)), place)
        } else {
            (None, model.decisions().rule(&seen).map(|(_, grade)| grade))
        };
        // The check leaves no total and no case without a grade.
        let own = own.unwrap_or(scheme.grade.len().saturating_sub(1));
        let chained = model.decisions().chain(model.file(), own, measures.branches(), &seen);
        let grade = chained.map_or(own, |chained| chained.grade);
        Self { values, signals, asked: seen, earned, sum, points, own, grade }
    }

    fn code(&self, model: &Model) -> String {
        code_at(model, self.grade)
    }
}

fn code_at(model: &Model, place: usize) -> String {
    model.scheme().grade.get(place).map(|grade| grade.code.clone()).unwrap_or_default()
}

/// What comes of a subject, without how: what a run needs of a million.
pub fn rate(model: &Model, measures: &Measures) -> Outcome {
    let reckoned = Reckoned::of(model, measures);
    let grade = reckoned.code(model);
    let parts = if model.by_points() {
        Parts::Points(reckoned.earned)
    } else {
        let exact = |value: &Result<Fraction, Lack>| value.ok().map(|value| value.to_string());
        Parts::Signals(reckoned.signals.iter().map(exact).collect())
    };
    Outcome { points: reckoned.points, grade, parts }
}

/// Applies a model and tells how everything came about. The same facts give the same assessment, whatever order they
/// came in.
pub fn evaluate(model: &Model, measures: &Measures) -> Assessment {
    let reckoned = Reckoned::of(model, measures);
    let findings = model
        .indicators()
        .zip(model.indicator_readings())
        .zip(reckoned.values.iter().zip(&reckoned.earned))
        .map(|((placed, reading), (value, earned))| Finding {
            no: placed.indicator.no,
            value: value.ok().map(|value| value.to_string()),
            shown: value.ok().map(Fraction::to_decimal_text),
            missing: value.err(),
            rule: fired(placed.indicator, *value),
            points: *earned,
            records: reading.evidence(measures),
        })
        .collect();
    let signals = model
        .file()
        .signal
        .iter()
        .zip(model.signal_readings())
        .zip(&reckoned.signals)
        .map(|((signal, reading), value)| SignalFinding {
            signal: signal.id.clone(),
            value: value.ok().map(|value| value.to_string()),
            shown: value.ok().map(Fraction::to_decimal_text),
            missing: value.err(),
            records: reading.evidence(measures),
        })
        .collect();
    Assessment {
        points: reckoned.points,
        grade: reckoned.code(model),
        findings,
        signals,
        branches: measures.branches(),
        decisions: decisions(model, measures, &reckoned),
        raise: raise(model, measures, &reckoned),
    }
}

/// Every rule, cap, veto and chain rule that holds.
fn decisions(model: &Model, measures: &Measures, reckoned: &Reckoned) -> Vec<Decision> {
    let file = model.file();
    let mut told = Vec::new();
    if model.by_points() {
        for (which, most) in model.decisions().limits(&reckoned.asked) {
            told.push(limit(model, reckoned, which, most));
        }
    } else {
        let decisive = model.decisions().rule(&reckoned.asked).map(|(rule, _)| rule);
        let mut hold = model.decisions().rules_that_hold(&reckoned.asked);
        // The last rule takes the rest: it is told only where nothing else holds.
        hold.extend(decisive.filter(|rule| !hold.contains(rule)));
        for at in hold {
            let Some(rule) = file.rule.get(at) else { continue };
            told.push(Decision {
                part: Part::Rule,
                clause: rule.clause.clone(),
                grade: rule.grade.clone(),
                at_most: None,
                because: because(file, rule.when.as_ref(), reckoned),
                decides: decisive == Some(at),
            });
        }
    }
    told.extend(chain(model, measures, reckoned));
    told
}

fn limit(model: &Model, reckoned: &Reckoned, which: LimitOf, most: Points) -> Decision {
    let file = model.file();
    let (part, clause, when) = match which {
        LimitOf::Veto(at) => {
            (Part::Veto, file.veto.get(at).map(|veto| &veto.clause), file.veto.get(at).map(|veto| &veto.when))
        }
        LimitOf::Cap(at) => (Part::Cap, file.cap.get(at).map(|cap| &cap.clause), file.cap.get(at).map(|cap| &cap.when)),
    };
    Decision {
        part,
        clause: clause.cloned().unwrap_or_default(),
        grade: model.grade_of(most.milli()),
        at_most: Some(most.milli()),
        because: because(file, when, reckoned),
        decides: reckoned.points == Some(most.milli()) && reckoned.sum > most.milli(),
    }
}

fn chain(model: &Model, measures: &Measures, reckoned: &Reckoned) -> Option<Decision> {
    let branches = measures.branches()?;
    let chain = model.file().chain.as_ref()?;
    let decided = model.decisions().chain(model.file(), reckoned.own, Some(branches), &reckoned.asked)?;
    let rule = chain.rule.get(decided.rule)?;
    let mut because = vec![format!("{} of {} branches graded are {}", branches.counted, branches.of, chain.counts)];
    if decided.excepted {
        because.extend(self::because(model.file(), rule.unless.as_ref(), reckoned));
        because.push("the rule's exception holds".to_owned());
    }
    Some(Decision {
        part: Part::Chain,
        clause: super::describe::describe_chain_rule(chain, rule),
        grade: code_at(model, decided.grade),
        at_most: None,
        because,
        decides: decided.grade != reckoned.own,
    })
}

/// The conditions that hold, in words.
fn because(file: &ModelFile, when: Option<&When>, reckoned: &Reckoned) -> Vec<String> {
    let Some(when) = when else { return Vec::new() };
    let held = when.conditions().iter().filter_map(|condition| {
        let place = file.signal.iter().position(|signal| signal.id == condition.signal)?;
        let value = reckoned.asked.get(place).copied().flatten()?;
        let shown = value.to_decimal_text();
        super::decide::holds(condition, Some(value))
            .then(|| format!("{} is {shown} ({})", condition.signal, describe_condition(condition)))
    });
    held.collect()
}

/// What points by indicator, in the model's order, come to on the first level: all of it that is ever told to a bank.
pub fn first_levels(model: &ModelFile, points: &[MilliPoints]) -> Vec<MilliPoints> {
    let mut points = points.iter();
    let of_level = |level: &Level1| {
        let indicators = level.level2.iter().map(|level| level.indicator.len()).sum();
        MilliPoints(points.by_ref().take(indicators).fold(0, |sum, earned| sum.saturating_add(earned.0)))
    };
    model.level1.iter().map(of_level).collect()
}

/// The total alone; nothing under a rule model.
pub fn total(model: &Model, measures: &Measures) -> MilliPoints {
    Reckoned::of(model, measures).points.unwrap_or_default()
}

/// What one indicator would earn for a value, whatever its own rule measures.
pub fn points_of_value(indicator: &Indicator, value: Decimal) -> MilliPoints {
    earn(indicator, Ok(Fraction::of(value))).milli()
}
