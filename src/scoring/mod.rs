//! Scoring: a model and the measures of a subject give points, a grade and an explanation.
//!
//! Pure: no input or output, no clock, no randomness, no floats. The same facts under the same model give the same points,
//! grade and explanation, in any order and on any machine (I5). Values are exact fractions of ten-thousandths, points are
//! thousandths, and the points of each indicator are rounded down to a whole thousandth once.
//!
//! Catalogues and models are data; a city's own scheme is a file.
//!
//! - Files: `number` parses numbers, `catalogue` lists the measures, `model` weighs them, `mapping` maps grades to those of
//!   receivers, `check` and `faults` refuse invalid files with their lines,
//!   `fit` reports models of another city.
//! - Scoring: `method` versions the computation, `measures` sums up facts, `resolved` computes values, `score` turns them into points, `decide` applies rules,
//!   caps, vetoes and chains, `computed` combines them, `evaluate` explains the outcome as an `assessment`, and
//!   `improvement` finds what would raise the grade.
//! - Text: `terms` chooses language and names; `describe`, `explain_text`, `model_text`, `model_page` (with `page`) and
//!   `diff` write it.

mod assessment;
mod authorities;
mod catalogue;
mod check;
mod computed;
mod decide;
mod describe;
mod diff;
mod evaluate;
mod event_rules;
mod evidence;
mod explain_text;
mod fact;
mod faults;
mod fit;
mod identity;
mod improvement;
mod mapping;
mod measures;
mod method;
mod model;
mod model_page;
mod model_text;
mod number;
mod page;
mod relations;
mod resolved;
mod score;
pub mod shipped;
mod terms;

pub use assessment::{Assessment, Decision, Finding, Outcome, Parts, SignalFinding};
pub use authorities::{Authorities, Provider};
pub use catalogue::{
    Absent, Catalogue, Category, DefaultFields, Measure, MeasureForm, Publicity, PublishedFields, UpdateFrequency,
};
pub use decide::Part;
pub use describe::{
    describe_chain_rule, describe_condition, describe_own_worse, describe_rule, describe_signal, describe_value,
    describe_when,
};
pub use diff::diff_models;
pub use evaluate::{evaluate, evaluate_in, first_levels, points_of_value, rate, total, unlimited_total};
pub use event_rules::{ReferenceRule, Repetitions};
pub use evidence::{Evidence, MissingReason};
pub use explain_text::{
    describe_assessment, describe_assessment_in, describe_effect, describe_evidence, describe_lacking, part_in_words,
};
pub use fact::Fact;
pub use identity::FactIdentity;
pub use improvement::{Blocker, Improvement, ImprovementStep};
pub use mapping::{Mapping, ReceiverGrade, ReceiverScheme, SchemeRef};
pub use measures::{MeasureSums, Measures, Sums, TooLarge};
pub use method::{Method, Reading, Validity};
pub use model::{
    Band, Basis, Cap, Chain, ChainRule, Condition, Consequence, Grade, GradeRule, Indicator, Level1, Level2, Missing,
    Model, ModelFile, NotRated, NotRatedException, Origin, OwnWorse, OwnWorseOutcome, PeerGroup, PlacedIndicator,
    Scheme, ScoreForm, Signal, SignalMissing, SubjectDay, ValueForm, Veto, When,
};
pub use model_page::{PageFormat, document_model, not_rated_in_words};
pub use model_text::describe_model;
pub use number::{Decimal, Fraction, Points};
pub use relations::{Branches, PeerRank};
pub use resolved::PeerComparison;
pub use terms::{Terms, value as value_in_words};
