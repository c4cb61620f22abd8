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
mod documents;
mod eligibility;
mod error;
mod explain;
mod figures;
mod in_force;
mod inputs;
mod library;
mod lifecycle;
mod page;
mod peers;
mod period;
mod publish;
mod rating;
mod replay;
mod report;
mod results;
mod rounds;
mod run;
mod state;
mod status;
mod transition;

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
pub use lifecycle::{Preassessed, RunHistory};
pub use page::{comparison_rows, report_page, report_rows};
pub use publish::Published;
pub use replay::{Difference, Digests, Replayed};
pub use report::{GradeCount, Report};
pub use rounds::Rounds;
pub use run::RunDone;
pub use state::RunState;
