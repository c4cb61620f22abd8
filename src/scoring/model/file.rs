//! A model file: its head, its scheme of grades, who is not rated, and the tree of weighted indicators.

use serde::{Deserialize, Serialize};

use super::{Cap, Chain, Consequence, GradeRule, Missing, ScoreForm, Signal, ValueForm, Veto, origin::sourced};
use crate::{
    domain::grade::NotRatedReason,
    scoring::{
        catalogue::{DefaultFields, PublishedFields},
        number::Points,
    },
};

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

sourced! {
    /// A scheme of grades.
    pub struct Scheme {
        /// Its id, sent with every grade.
        pub id: String,
        /// Its version, raised when its words or bands change.
        pub version: i64,
        /// Its name to people.
        pub name_zh: String,
        basis, source, reason,
        /// The grades, best first.
        pub grade: Vec<Grade>,
    }
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

    /// A grade's place, 0 being the best.
    pub fn place(&self, code: &str) -> Option<usize> {
        self.grade.iter().position(|grade| grade.code == code)
    }

    /// The most points that earn no better grade than the one in a place; `None` for the best, which has no such limit.
    pub fn most_of(&self, place: usize) -> Option<Points> {
        let better = self.grade.get(place.checked_sub(1)?)?;
        better.from.map(|from| Points(from.0 - 1))
    }
}

sourced! {
    /// Who takes no part in rounds of the model (不参评).
    pub struct NotRated {
        /// The cases.
        pub reasons: Vec<NotRatedReason>,
        /// Events upon any of which, in the half-year itself, `other` holds: what the bureau decides case by case.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub other: Vec<String>,
        basis, source, reason,
    }
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

sourced! {
    /// A third-level indicator, with its rule.
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
        basis, source, reason,
    }
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
    /// The points there are; nothing in a rule model.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
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
    /// The tree of a points model; a rule model has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub level1: Vec<Level1>,
    /// What conditions ask about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signal: Vec<Signal>,
    /// The rules of a rule model, in the order in which they are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<GradeRule>,
    /// The caps of a points model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cap: Vec<Cap>,
    /// The vetoes of a points model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub veto: Vec<Veto>,
    /// How branches bear on the head of their chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
    /// What follows the grades.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consequence: Vec<Consequence>,
}

impl ModelFile {
    /// Whether it rates by points; otherwise by rules.
    pub const fn by_points(&self) -> bool {
        !self.level1.is_empty()
    }

    /// Its indicators with their places in the tree, in order.
    pub fn indicators(&self) -> impl Iterator<Item = Placed<'_>> {
        self.level1.iter().flat_map(|level1| {
            level1.level2.iter().flat_map(move |level2| {
                level2.indicator.iter().map(move |indicator| Placed { level1, level2, indicator })
            })
        })
    }

    /// The signal of a name.
    pub fn signal(&self, id: &str) -> Option<&Signal> {
        self.signal.iter().find(|signal| signal.id == id)
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
