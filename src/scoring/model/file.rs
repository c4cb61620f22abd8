//! A model file: its head, its scheme of grades, the subjects that are not rated, and the tree of weighted indicators.

use serde::{Deserialize, Serialize};

use super::{Cap, Chain, Consequence, GradeRule, Missing, ScoreForm, Signal, ValueForm, Veto, When, origin::sourced};
use crate::{
    domain::grade::NotRatedReason,
    scoring::{
        catalogue::{DefaultFields, PublishedFields},
        number::Points,
    },
};

/// A grade of a scheme, with the points that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grade {
    pub code: String,
    /// The Chinese word.
    pub name_zh: String,
    /// The place, 1 being the best. Grades of different schemes are compared by it.
    pub ordinal: i64,
    /// The least points that earn it. The range ends below the next better grade's; the worst grade has no lower limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Points>,
}

sourced! {
    /// A scheme of grades.
    pub struct Scheme {
        /// The id, sent with every grade.
        pub id: String,
        /// The version, raised when words or bands change.
        pub version: i64,
        pub name_zh: String,
        basis, source, reason,
        /// The grades, best first.
        pub grade: Vec<Grade>,
    }
}

impl Scheme {
    /// The grade of a total. `None` only for a scheme without a worst grade, which the check refuses.
    pub fn grade_of(&self, points: Points) -> Option<&Grade> {
        self.grade.iter().find(|grade| grade.from.is_none_or(|from| points >= from))
    }

    /// A grade by its code.
    pub fn grade(&self, code: &str) -> Option<&Grade> {
        self.grade.iter().find(|grade| grade.code == code)
    }

    /// The position of a grade, 0 being the best.
    pub fn place(&self, code: &str) -> Option<usize> {
        self.grade.iter().position(|grade| grade.code == code)
    }

    /// The most points that do not earn a better grade than the one at a position; `None` for the best grade.
    pub fn most_of(&self, place: usize) -> Option<Points> {
        let better = self.grade.get(place.checked_sub(1)?)?;
        better.from.map(|from| Points(from.0 - 1))
    }
}

sourced! {
    /// The subjects that take no part in rounds of the model (不参评).
    pub struct NotRated {
        /// The reasons that the model recognizes.
        pub reasons: Vec<NotRatedReason>,
        /// Events of the half-year of which any one means the reason `other`, for decisions of the bureau case by case.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub other: Vec<String>,
        basis, source, reason,
        /// Cases in which a reason does not apply, so that the subject is rated.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub except: Vec<NotRatedException>,
    }
}

sourced! {
    /// A case in which a reason of not being rated does not apply.
    pub struct NotRatedException {
        /// The reason that does not apply, one of those that the model recognizes.
        pub case: NotRatedReason,
        /// When it does not apply.
        pub when: When,
        basis, source, reason,
    }
}

/// A first-level indicator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level1 {
    pub name_zh: String,
    /// The sum of the weights below it.
    pub weight: Points,
    /// The second-level indicators.
    pub level2: Vec<Level2>,
}

/// A second-level indicator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level2 {
    pub name_zh: String,
    /// The sum of the weights below it.
    pub weight: Points,
    /// The third-level indicators.
    pub indicator: Vec<Indicator>,
}

sourced! {
    /// A third-level indicator, with its rule.
    pub struct Indicator {
        /// Its number in the published table.
        pub no: u16,
        pub name_zh: String,
        /// The greatest possible points.
        pub weight: Points,
        pub value: ValueForm,
        /// How the value becomes points.
        pub score: ScoreForm,
        /// The policy for missing data.
        pub missing: Missing,
        basis, source, reason,
    }
}

/// The content of a model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    pub id: String,
    /// The version, raised when anything changes.
    pub version: i64,
    pub name_zh: String,
    /// The kind of subject that the model rates.
    pub kind: String,
    /// The authority whose scheme it is (医疗保障局).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_zh: Option<String>,
    /// The region whose subjects it rates, by the name that the table of regions and the catalogues use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_zh: Option<String>,
    /// The greatest possible total; zero in a rule model.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub total: Points,
    /// The fields that an authority published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<PublishedFields>,
    /// The fields that this project chose. Rules have a reason of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultFields>,
    pub scheme: Scheme,
    /// The subjects that take no part.
    pub not_rated: NotRated,
    /// The tree of a points model; empty in a rule model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub level1: Vec<Level1>,
    /// The values that conditions refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signal: Vec<Signal>,
    /// The rules of a rule model, in the order of evaluation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<GradeRule>,
    /// The caps of a points model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cap: Vec<Cap>,
    /// The vetoes of a points model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub veto: Vec<Veto>,
    /// How branches affect the head of their chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
    /// The supervisory measures that follow the grades.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consequence: Vec<Consequence>,
}

impl ModelFile {
    /// Whether the model grades by points; if not, it grades by rules.
    pub const fn by_points(&self) -> bool {
        !self.level1.is_empty()
    }

    /// The indicators with their ancestors, in order.
    pub fn indicators(&self) -> impl Iterator<Item = PlacedIndicator<'_>> {
        self.level1.iter().flat_map(|level1| {
            level1.level2.iter().flat_map(move |level2| {
                level2.indicator.iter().map(move |indicator| PlacedIndicator { level1, level2, indicator })
            })
        })
    }

    /// A signal by its id.
    pub fn signal(&self, id: &str) -> Option<&Signal> {
        self.signal.iter().find(|signal| signal.id == id)
    }
}

/// An indicator with its ancestors in the tree.
#[derive(Debug, Clone, Copy)]
pub struct PlacedIndicator<'a> {
    /// The first-level indicator above it.
    pub level1: &'a Level1,
    /// The second-level indicator above it.
    pub level2: &'a Level2,
    pub indicator: &'a Indicator,
}
