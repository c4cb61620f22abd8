//! Grading: runs rate a kind of subject for a half-year, from a trial that only the bureau sees to the round that banks
//! read.
//!
//! - A run reads one set of accepted imports and records digests of its inputs, its model and its results (I5).
//! - Results leave the gateway only after [`Rounds::publish`], which puts them in force and ends the round before in one
//!   transaction.
//! - [`current()`] distinguishes the five answers to a grade question in one statement, so that a reader sees the old
//!   round or the new one and never a mixture.
//! - Each act on a run is one entry of the ledger, in the transaction of the act.
//!
//! The room does not know who reads a grade, or whether they may.

mod archive;
mod canonical;
mod chain;
mod correct;
mod current;
mod documents;
mod due;
mod eligibility;
mod error;
mod excluded;
mod explain;
mod fact_page;
mod figures;
mod in_force;
mod library;
mod lifecycle;
mod listing;
mod objections;
mod page;
mod peers;
mod percent;
mod period;
mod publish;
mod rating;
mod recompute;
mod replay;
mod report;
mod results;
mod rounds;
mod run;
mod scope;
mod state;
mod status;
mod status_history;
mod transition;
mod words;

pub use archive::{Archive, FormerAssessment, Levels};
pub use correct::{AssessmentSummary, Corrected, Correction, CorrectionMade};
pub use current::{CurrentAssessment, GoodStanding, GradeWord, Grades, current, in_good_standing};
pub use due::{CorrectionState, Decision, DecisionKind, DueCorrection, DueScope};
pub use error::GradingError;
pub use explain::{Explained, ExplainedVersion};
pub use fact_page::SourceConflict;
pub use figures::{
    BiasFlag, BiasReport, Column, Comparison, IndicatorBias, KindLine, MeasureCount, Movement, MovementTable,
    ReportNames, RoundReport, RunHead, Share, Simulation, SubjectDifference, Table, TableRow,
};
pub use in_force::{InForceResult, InForceRound};
pub use library::{CheckedFile, InForce, Library, LibraryError, files as toml_files};
pub use lifecycle::{Preassessed, RunHistory};
pub use listing::{Change, ListedMeasure, ListedMove, ListedResult, Listing};
pub use objections::{NewObjection, Objection, ObjectionDecision, ObjectionDone, ObjectionOutcome};
pub use page::{comparison_rows, explained_page, report_page, report_rows};
pub use publish::Published;
pub use replay::{Difference, Digests, Replayed};
pub use report::{CorrectedResult, GradeCount, Report};
pub use rounds::Rounds;
pub use run::RunDone;
pub use state::RunState;
