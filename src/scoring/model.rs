//! A scoring model as data: a scheme of grades, and a tree of weighted indicators, each with a rule over measures.
//!
//! The types here are the file's own form, which is also the form a run keeps in the database. A [`Model`] is one that
//! has been checked against its catalogue; only [`Model::parse`] and [`Model::from_json`] make one.

use serde::{Deserialize, Serialize};

use super::{
    catalogue::{Catalogue, DefaultFields, PublishedFields},
    check::check,
    number::{Decimal, Points},
    rule::Rule,
    source::{Fault, Faults, Refused, read},
};
use crate::domain::{grade::NotRatedReason, money::MilliPoints};

/// Whether something was published by an authority or chosen by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Published: `source` says where.
    Published,
    /// Ours: `reason` says why.
    Default,
}

impl Basis {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Default => "default",
        }
    }
}

/// A grade of a scheme: its word, and from how many points on it is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grade {
    /// The stable code.
    pub code: String,
    /// The word people know.
    pub name_zh: String,
    /// Its place, 1 being the best: what grades of different schemes are compared by.
    pub ordinal: i64,
    /// The least points that earn it (half-open: below the next better grade's). The worst grade has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Points>,
}

/// A scheme of grades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// Its id, sent with every grade.
    pub id: String,
    /// Its version, raised when its words or bands change.
    pub version: i64,
    /// Its name to people.
    pub name_zh: String,
    /// Where its words and bands come from.
    pub basis: Basis,
    /// The publication, where `basis` is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why, where `basis` is default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The grades, best first.
    pub grade: Vec<Grade>,
}

impl Scheme {
    /// The grade that a total earns. `None` only for a scheme without a worst grade, which the check refuses.
    pub fn grade_of(&self, points: Points) -> Option<&Grade> {
        self.grade.iter().find(|grade| grade.from.is_none_or(|from| points >= from))
    }

    /// A grade by its code.
    pub fn grade(&self, code: &str) -> Option<&Grade> {
        self.grade.iter().find(|grade| grade.code == code)
    }
}

/// Who takes no part in rounds of the model (不参评).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotRated {
    /// The cases.
    pub reasons: Vec<NotRatedReason>,
    /// Where they come from.
    pub basis: Basis,
    /// The publication, where `basis` is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why, where `basis` is default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A first-level indicator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level1 {
    /// Its name.
    pub name_zh: String,
    /// The points of all beneath it.
    pub weight: Points,
    /// What stands beneath it.
    pub level2: Vec<Level2>,
}

/// A second-level indicator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level2 {
    /// Its name.
    pub name_zh: String,
    /// The points of all beneath it.
    pub weight: Points,
    /// What stands beneath it.
    pub indicator: Vec<Indicator>,
}

/// A third-level indicator, with its rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indicator {
    /// Its number in the published table.
    pub no: u16,
    /// Its name.
    pub name_zh: String,
    /// The most points it gives.
    pub weight: Points,
    /// What is measured.
    pub value: ValueForm,
    /// How that becomes points.
    pub score: ScoreForm,
    /// What happens where there is nothing to measure.
    pub missing: Missing,
    /// Where the rule comes from (names and weights are the model's `[published]` matter).
    pub basis: Basis,
    /// The publication, where `basis` is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why, where `basis` is default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ValueForm {
    /// A measure as it is.
    Measure(String),
    /// The sum of some measures over the sum of others.
    Ratio {
        /// Added up above the line.
        numerator: Vec<String>,
        /// Added up below it.
        denominator: Vec<String>,
    },
    /// How much a measure or ratio grew from the half-year before: `(now - before) / before`.
    Growth {
        /// What grew.
        of: Box<ValueForm>,
    },
    /// How many events happened.
    Count {
        /// Of these kinds.
        measures: Vec<String>,
        /// In the half-years from the nearest to the farthest one back, both included; `[0, 0]` is the present one.
        #[serde(default)]
        periods_back: [u8; 2],
    },
    /// Full months from a day of the subject's file to the last day of the period.
    Age {
        /// Which day.
        since: SubjectDay,
    },
}

/// A day in a subject's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectDay {
    /// 协议签订日期.
    AgreementSignedOn,
}

/// How a value becomes points. Whatever the form, points are cut to whole thousandths downwards and kept between
/// nothing and the indicator's weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScoreForm {
    /// In proportion between a value that earns nothing and one that earns all; either may be the greater.
    Linear {
        /// Earns nothing.
        worst: Decimal,
        /// Earns the whole weight.
        best: Decimal,
    },
    /// By steps, each up to but not including its `below`; the last has none.
    Bands(Vec<Band>),
    /// So many points to begin with, and so many more or less for each event.
    PerEvent {
        /// Without any event.
        start: Points,
        /// For each one; negative takes points off.
        each: Points,
    },
    /// The value is a score itself, out of so much.
    PassThrough {
        /// The greatest score there is.
        out_of: Decimal,
    },
}

/// A step of [`ScoreForm::Bands`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// It ends before this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Decimal>,
    /// What it earns.
    pub points: Points,
}

/// What an indicator gives where there is nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Missing {
    /// For counts of events, and only for them: no record means that none happened.
    NoneHappened,
    /// Nothing.
    Zero,
    /// The whole weight.
    Full,
    /// So many points.
    Points(Points),
}

/// A model as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its id.
    pub id: String,
    /// Its version, raised when anything in it changes.
    pub version: i64,
    /// Its name to people.
    pub name_zh: String,
    /// The kind of subject it rates.
    pub kind: String,
    /// The points there are.
    pub total: Points,
    /// Which fields were published, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<PublishedFields>,
    /// Which fields are our own choice, and why. Rules say it for themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultFields>,
    /// Its grades.
    pub scheme: Scheme,
    /// Who is not rated.
    pub not_rated: NotRated,
    /// The tree.
    pub level1: Vec<Level1>,
}

/// A model that has been checked: weights add up at every level, grades cover every total, every measure is in the
/// catalogue, every rule can reach its weight and says where it comes from.
#[derive(Debug, Clone)]
pub struct Model {
    file: ModelFile,
    rules: Vec<Rule>,
}

impl Model {
    /// Reads and checks a model; `file` names it in what is refused.
    pub fn parse(file: &str, text: &str, catalogue: &Catalogue) -> Result<Self, Refused> {
        Self::checked(file, text, read(file, text)?, catalogue)
    }

    /// Reads and checks a model that a run kept.
    pub fn from_json(name: &str, text: &str, catalogue: &Catalogue) -> Result<Self, Refused> {
        let raw = serde_json::from_str(text).map_err(|error| Refused {
            file: name.to_owned(),
            faults: vec![Fault { line: None, message: error.to_string() }],
        })?;
        Self::checked(name, "", raw, catalogue)
    }

    /// The kind of subject a model file is for, read before its catalogue can be chosen.
    pub fn kind_of(file: &str, text: &str) -> Result<String, Refused> {
        read::<ModelFile>(file, text).map(|raw| raw.kind)
    }

    fn checked(name: &str, text: &str, file: ModelFile, catalogue: &Catalogue) -> Result<Self, Refused> {
        let mut faults = Faults::new(name, text);
        check(&file, catalogue, &mut faults);
        faults.finish()?;
        let rules: Option<Vec<Rule>> =
            indicators_of(&file).map(|placed| Rule::of(placed.indicator, catalogue)).collect();
        // The check has found every measure; were one to escape it, no rule may slip into another's place.
        let rules = rules.ok_or_else(|| Refused {
            file: name.to_owned(),
            faults: vec![Fault {
                line: None,
                message: "a rule reads a measure that the catalogue does not have".into(),
            }],
        })?;
        Ok(Self { file, rules })
    }

    /// The model's id.
    pub fn id(&self) -> &str {
        &self.file.id
    }

    /// The kind of subject it rates.
    pub fn kind(&self) -> &str {
        &self.file.kind
    }

    /// Its grades.
    pub const fn scheme(&self) -> &Scheme {
        &self.file.scheme
    }

    /// Everything in it, as its file has it.
    pub const fn file(&self) -> &ModelFile {
        &self.file
    }

    /// Its indicators with their places in the tree, in order.
    pub fn indicators(&self) -> impl Iterator<Item = Placed<'_>> {
        indicators_of(&self.file)
    }

    /// The rules of [`Model::indicators`], in the same order.
    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The code of the grade that a total earns.
    pub fn grade_of(&self, total: MilliPoints) -> String {
        self.file.scheme.grade_of(Points(total.0)).map(|grade| grade.code.clone()).unwrap_or_default()
    }

    /// How many half-years before its own a run of this model looks at.
    pub fn lookback(&self) -> u8 {
        self.rules.iter().map(Rule::lookback).max().unwrap_or(0)
    }

    /// The form a run keeps and digests: JSON without spaces, fields in the order of their types.
    pub fn canonical(&self) -> String {
        // Infallible: the types hold only texts, numbers and lists of them.
        serde_json::to_string(&self.file).unwrap_or_default()
    }
}

/// An indicator with its place in the tree.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// The first level above it.
    pub level1: &'a Level1,
    /// The second level above it.
    pub level2: &'a Level2,
    /// The indicator.
    pub indicator: &'a Indicator,
}

fn indicators_of(file: &ModelFile) -> impl Iterator<Item = Placed<'_>> {
    file.level1.iter().flat_map(|level1| {
        level1
            .level2
            .iter()
            .flat_map(move |level2| level2.indicator.iter().map(move |indicator| Placed { level1, level2, indicator }))
    })
}
