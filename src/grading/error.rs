//! Errors of runs and rounds.

use super::RunState;
use crate::{
    domain::{Day, Failure, FailureKind, HalfYear, TableError, working_days::YearMissing},
    ledger::LedgerError,
    scoring::TooLarge,
    store::DbError,
};

/// Why a run, its publication or its explanation failed.
#[derive(Debug, thiserror::Error)]
pub enum GradingError {
    /// Another process is making a run.
    #[error("another process is making a run")]
    Busy,
    /// There is no such run.
    #[error("there is no run {0}")]
    NoSuchRun(String),
    /// No round in force, and no run at all, covers the subject.
    #[error("no run covers the subject {0}")]
    NotCovered(String),
    /// The run cannot go from its present state to the next one.
    #[error("the run {run} is {}: {}", .state.as_str(), requirement(*.next))]
    WrongState {
        run: String,
        state: RunState,
        /// The requested state.
        next: RunState,
    },
    /// Another process changed the state of the run at the same time.
    #[error("the run {run} was changed by another process before it became {}", .next.as_str())]
    Raced {
        run: String,
        /// The requested state.
        next: RunState,
    },
    /// Another run of the kind and scheme is open to objections.
    #[error("the run {open} is open to objections: publish or discard it first")]
    AnotherOpen { open: String },
    /// Subjects could not object to the run.
    #[error(
        "the run {run} was not open to objections: [grading] objection_days requires {days} working days of pre-assessment"
    )]
    NotPreassessed {
        run: String,
        /// The required number of days.
        days: u16,
    },
    /// There is no such subject.
    #[error("there is no subject {0}")]
    NoSuchSubject(String),
    /// There is no such objection.
    #[error("there is no objection {0}")]
    NoSuchObjection(String),
    /// The subject has another open objection.
    #[error("{subject} has an open objection, {id}: decide it first")]
    ObjectionOpen { subject: String, id: String },
    /// The objection was decided otherwise.
    #[error("the objection {id} is decided already, with another outcome or reason")]
    ObjectionDecided { id: String },
    /// An objection and its decision need a reason.
    #[error(
        "an objection and its decision need a reason of 1 to {longest} characters on one line, none of them invisible"
    )]
    ObjectionReason { longest: usize },
    /// The calendar of working days lacks a year.
    #[error(transparent)]
    Calendar(#[from] YearMissing),
    /// Subjects may still object to the run.
    #[error("the run {run} is open to objections until the end of {until}")]
    StillOpen { run: String, until: Day },
    /// The half-year is not over.
    #[error("{period} is not over on {today}: a round needs the whole half-year")]
    NotOver { period: HalfYear, today: Day },
    /// A later round is in force.
    #[error("the round of {in_force} is in force: one of {period}, which is earlier, can no longer replace it")]
    Backwards {
        period: HalfYear,
        /// The half-year in force.
        in_force: HalfYear,
    },
    /// The stored results do not have the digest that the run recorded.
    #[error("the results of the run {0} do not match its digest: they were changed or are incomplete")]
    Altered(String),
    /// The run's results were removed.
    #[error("the run {0} was discarded: its results are deleted")]
    NoResults(String),
    /// The run was never published, so there is nothing to correct.
    #[error("the run {run} is {}: only a published run can be corrected", .state.as_str())]
    NeverPublished { run: String, state: RunState },
    /// Rounds of several schemes are in force for the subject's kind.
    #[error("several rounds of {kind} are in force: name one with --run")]
    SeveralRounds { kind: String },
    /// Other corrections of the chain were made at the same time.
    #[error("the chain of {0} is being corrected by another process: try again")]
    ChainMoved(String),
    /// A correction needs a reason.
    #[error("a correction needs a reason of 1 to {longest} characters on one line, none of them invisible")]
    Reason { longest: usize },
    /// Two runs are of two kinds.
    #[error("the runs are of {first} and of {second}: only runs of one kind can be compared")]
    DifferentKinds { first: String, second: String },
    /// The run's model gives grades without points.
    #[error("the model of the run {0} grades by rules, without points: there is no distribution of points to report")]
    NoPoints(String),
    /// The run may be shown inside the bureau only.
    #[error("the run {run} is {}: only published rounds may be shown outside the bureau; make an internal report with --internal", .state.as_str())]
    NotForOthers { run: String, state: RunState },
    /// The ledger entry could not be made.
    #[error("the ledger entry could not be made")]
    Ledger(#[source] LedgerError),
    /// The data of a subject is out of range.
    #[error("{subject}: {source}")]
    Data {
        subject: String,
        /// What is wrong with it.
        #[source]
        source: TooLarge,
    },
    /// The model or catalogue that a run stored cannot be read.
    #[error("the model of the run {run} cannot be read: {message}")]
    Model { run: String, message: String },
    /// A thread that rated subjects panicked or was cancelled.
    #[error("the run stopped unexpectedly")]
    Stopped,
    /// A model or catalogue was refused.
    #[error(transparent)]
    Refused(TableError),
    #[error("the store failed while {step}")]
    Store {
        /// What was being done.
        step: &'static str,
        /// The error of the store.
        #[source]
        source: DbError,
    },
}

/// Which runs can reach a state.
const fn requirement(next: RunState) -> &'static str {
    match next {
        RunState::Trial => "a run is a trial when it is made, and never again",
        RunState::Preassessment => "only a trial can be opened to objections",
        RunState::Published => "only a trial or a pre-assessment can be published",
        RunState::Superseded => "only a published run can be superseded",
        RunState::Discarded => "only a trial or a pre-assessment can be discarded",
    }
}

impl GradingError {
    /// The error of a subject whose data is out of range.
    pub(super) fn data(subject: &str, source: TooLarge) -> Self {
        Self::Data { subject: subject.to_owned(), source }
    }

    /// Names the step during which the store failed.
    pub(super) fn during(step: &'static str) -> impl FnOnce(DbError) -> Self {
        move |source| Self::Store { step, source }
    }

    /// Names the step during which a ledger entry failed. Errors of the store stay errors of the store, so that contention is
    /// retried.
    pub(super) fn recording(step: &'static str) -> impl FnOnce(LedgerError) -> Self {
        move |error| match error {
            LedgerError::Store(source) => Self::Store { step, source },
            other => Self::Ledger(other),
        }
    }

    /// The error of a run that another process changed first.
    pub(super) fn raced(run: &str, next: RunState) -> Self {
        Self::Raced { run: run.to_owned(), next }
    }

    /// Whether an immediate retry may succeed.
    pub(super) const fn is_contention(&self) -> bool {
        matches!(self, Self::Store { source, .. } if source.is_contention())
    }
}

impl From<GradingError> for Failure {
    fn from(error: GradingError) -> Self {
        let text = error.to_string();
        match error {
            GradingError::NoSuchRun(_) => Self::not_found("run_not_found", text),
            GradingError::NotCovered(_) | GradingError::NoSuchSubject(_) => {
                Self::not_found("subject_not_covered", text)
            }
            GradingError::NoSuchObjection(_) => Self::not_found("objection_not_found", text),
            GradingError::ChainMoved(_) => Self::new(FailureKind::Conflict, "correction_in_progress", text),
            GradingError::Busy => Self::new(FailureKind::Conflict, "run_in_progress", text),
            GradingError::WrongState { .. }
            | GradingError::Raced { .. }
            | GradingError::AnotherOpen { .. }
            | GradingError::NotPreassessed { .. }
            | GradingError::StillOpen { .. }
            | GradingError::NoResults(_)
            | GradingError::NeverPublished { .. }
            | GradingError::SeveralRounds { .. }
            | GradingError::DifferentKinds { .. }
            | GradingError::NoPoints(_)
            | GradingError::ObjectionOpen { .. }
            | GradingError::ObjectionDecided { .. }
            | GradingError::Calendar(_)
            | GradingError::NotForOthers { .. } => Self::new(FailureKind::Conflict, "run_wrong_state", text),
            GradingError::NotOver { .. } => Self::new(FailureKind::Conflict, "period_not_over", text),
            GradingError::Backwards { .. } => Self::new(FailureKind::Conflict, "round_goes_back", text),
            GradingError::Altered(_) => Self::new(FailureKind::Conflict, "run_altered", text),
            GradingError::Data { .. } => Self::new(FailureKind::Unprocessable, "data_out_of_range", text),
            GradingError::Reason { .. } | GradingError::ObjectionReason { .. } => {
                Self::invalid("reason", "invalid_request", text)
            }
            GradingError::Ledger(error) => Self::from(error),
            GradingError::Refused(_) => Self::new(FailureKind::Unprocessable, "model_refused", text),
            GradingError::Model { .. } | GradingError::Stopped => Self::internal(text),
            GradingError::Store { step, source } => {
                let failure = Self::from(source);
                // The step is for the operator and goes in front of the store's own text, which stays in the log.
                let context = failure.context.clone().unwrap_or_default();
                failure.because(format!("{step}: {context}"))
            }
        }
    }
}
