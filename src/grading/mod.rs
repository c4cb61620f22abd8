//! Grading: a round of a kind of subject by half-year, from a trial that nobody outside sees to the grades banks read.
//!
//! What holds here: a run reads one set of accepted imports and says by digests what it read, by which model, and what
//! came of it (I5); its results are seen by nobody outside until [`Rounds::publish`] puts them in force, in one
//! transaction with the end of the round before. [`current()`] tells the five answers that a grade question can have
//! apart, from one statement, so that a reader sees the old round or the new one and never a mixture.
//!
//! Not known here: who asks, and whether they may.

mod archive;
mod canonical;
mod chain;
mod correct;
mod current;
mod eligibility;
mod error;
mod explain;
mod figures;
mod in_force;
mod inputs;
mod library;
mod page;
mod peers;
mod publish;
mod rating;
mod replay;
mod report;
mod run;
mod state;

use crate::store::Env;

pub use archive::{Archive, FormerAssessment, Levels};
pub use correct::{Corrected, Correction, CorrectionMade, Says};
pub use current::{CurrentAssessment, GoodStanding, GradeWord, Grades, current, in_good_standing};
pub use error::GradingError;
pub use explain::Explained;
pub use figures::{
    BiasFlag, BiasReport, Column, Comparison, Differs, Followed, IndicatorBias, KindLine, Movement, MovementTold,
    RoundReport, RunHead, Share, Simulation, Table, TableRow,
};
pub use in_force::{InForceResult, InForceRound};
pub use library::{CheckedFile, InForce, Library, LibraryError, files as toml_files};
pub use page::{comparison_rows, report_page, report_rows};
pub use publish::Published;
pub use replay::{Difference, Digests, Replayed};
pub use report::{GradeCount, Report};
pub use run::RunDone;
pub use state::{Preassessed, RunHistory, RunState};

/// Rounds over a store.
#[derive(Debug, Clone)]
pub struct Rounds {
    env: Env,
    objection_days: u16,
}

impl Rounds {
    /// Rounds over a store, timed by a clock, with ids from a source of randomness.
    pub const fn new(env: Env) -> Self {
        Self { env, objection_days: 0 }
    }

    /// The same, where a run must have been open to objections for some days before it is published.
    #[must_use]
    pub const fn with_objections(mut self, days: u16) -> Self {
        self.objection_days = days;
        self
    }
}

/// A run's results that nobody outside sees.
const TRIAL: &str = RunState::Trial.as_str();
/// A run in force: a round.
const PUBLISHED: &str = RunState::Published.as_str();
/// The status of a rated subject.
const GRADED: &str = "graded";
/// The status of a subject that takes no part.
const NOT_RATED: &str = "not_rated";
