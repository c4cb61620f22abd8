//! Scoring: a model and what is known of a subject give points, a grade and an explanation.
//!
//! Pure: no input or output, no clock, no randomness, no floats. What holds here (I5): the same facts under the same
//! model give the same points, grade and explanation, in any order and on any machine. Values are ten-thousandths and
//! exact fractions of them, points are thousandths, and each indicator is cut downwards to a whole thousandth once.
//!
//! Catalogues and models are data. A city's own scheme is a file: `number` says how it writes numbers, `catalogue` what
//! is gathered, `model` how that is weighed, `check` what is refused and where, `rule` how one indicator earns points,
//! `measures` how facts become values, `evaluate` how it all adds up, `describe` how it is told.

mod catalogue;
mod check;
mod describe;
mod evaluate;
mod measures;
mod model;
mod number;
mod rule;
pub mod shipped;
mod source;

pub use catalogue::{
    Catalogue, Category, DefaultFields, Measure, MeasureForm, Publicity, PublishedFields, UpdateFrequency,
};
pub use describe::{describe_assessment, describe_model, describe_rule};
pub use evaluate::{Assessment, Finding, evaluate, first_levels, points_by_indicator, points_of_value, total};
pub use measures::{Evidence, Fact, Lack, Measures, Sums, TooLarge};
pub use model::{
    Band, Basis, Grade, Indicator, Level1, Level2, Missing, Model, ModelFile, NotRated, Placed, Scheme, ScoreForm,
    SubjectDay, ValueForm,
};
pub use number::{Decimal, Fraction, Points};
pub use source::{Fault, Refused};
