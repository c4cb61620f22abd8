//! Scoring: a model and what is known of a subject give points, a grade and an explanation.
//!
//! Pure: no input or output, no clock, no randomness, no floats. What holds here (I5): the same facts under the same
//! model give the same points, grade and explanation, in any order and on any machine. Values are ten-thousandths and
//! exact fractions of them, points are thousandths, and each indicator is cut downwards to a whole thousandth once.
//!
//! Catalogues and models are data. A city's own scheme is a file: `number` says how it writes numbers, `catalogue` what
//! is gathered, `model` how that is weighed, `check` what is refused and where, `measures` how facts are added up,
//! `reading` how they become values, `score` how a value earns points, `decide` which rules, caps and vetoes hold,
//! `evaluate` how it all comes together, `raise` what would raise a grade, `describe`, `show`, `tell`,
//! `doc` and `diff` how it is told, `mapping` what a grade is called elsewhere.

mod catalogue;
mod check;
mod decide;
mod describe;
mod diff;
mod evaluate;
mod explain_text;
mod improvement;
mod mapping;
mod measures;
mod model;
mod model_page;
mod model_text;
mod number;
mod page;
mod reading;
mod score;
pub mod shipped;
mod source;

pub use catalogue::{
    Catalogue, Category, DefaultFields, Measure, MeasureForm, Publicity, PublishedFields, UpdateFrequency,
};
pub use describe::{
    describe_chain_rule, describe_condition, describe_own_worse, describe_rule, describe_signal, describe_when,
};
pub use diff::diff_models;
pub use evaluate::{
    Assessment, Decision, Finding, Outcome, Part, Parts, SignalFinding, evaluate, first_levels, points_of_value, rate,
    total,
};
pub use explain_text::describe_assessment;
pub use improvement::{Blocker, Raise, RaiseStep};
pub use mapping::{Mapping, ReceiverGrade, ReceiverScheme, SchemeRef};
pub use measures::{Branches, Evidence, Fact, Lack, Measures, Peer, Sums, TooLarge};
pub use model::{
    Band, Basis, Cap, Chain, ChainRule, Condition, Consequence, Grade, GradeRule, Indicator, Level1, Level2, Missing,
    Model, ModelFile, NotRated, Origin, OwnWorse, OwnWorseOutcome, PeerGroup, Placed, Scheme, ScoreForm, Signal,
    SignalMissing, SubjectDay, ValueForm, Veto, When,
};
pub use model_page::{PageFormat, document_model};
pub use model_text::describe_model;
pub use number::{Decimal, Fraction, Points};
pub use reading::PeerForm;
