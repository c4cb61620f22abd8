//! What can go wrong with a round.

use crate::{
    domain::{Day, Failure, FailureKind, HalfYear},
    scoring::{Refused, TooLarge},
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
    /// The run was published before, or another has taken its place.
    #[error("the run {run} is {state}: only a trial can be published")]
    NotATrial {
        /// The run.
        run: String,
        /// Its state.
        state: String,
    },
    /// The half-year is not over.
    #[error("{period} is not over on {today}: a round needs the whole half-year")]
    NotOver {
        /// The half-year.
        period: HalfYear,
        /// The city's day.
        today: Day,
    },
    /// A later round is in force.
    #[error("{in_force} is in force, which is later than {period}: rounds go forward only")]
    Backwards {
        /// The run's half-year.
        period: HalfYear,
        /// The half-year in force.
        in_force: HalfYear,
    },
    /// The results are not those that the run said it found.
    #[error("the results of the run {0} are not the ones it found: they were changed or are incomplete")]
    Altered(String),
    /// A subject's data cannot be reckoned with.
    #[error("{subject}: {source}")]
    Data {
        /// The subject.
        subject: String,
        /// What is wrong with it.
        #[source]
        source: TooLarge,
    },
    /// The model that a run kept cannot be read.
    #[error("the model of the run {run} cannot be read: {message}")]
    Model {
        /// The run.
        run: String,
        /// Why.
        message: String,
    },
    /// A thread that rated subjects ended without saying why.
    #[error("the run stopped unexpectedly")]
    Stopped,
    /// A model or catalogue was refused.
    #[error(transparent)]
    Refused(Refused),
    /// The store failed.
    #[error("the store failed while {step}")]
    Store {
        /// What was being done.
        step: &'static str,
        /// How.
        #[source]
        source: DbError,
    },
}

impl GradingError {
    /// Names the step during which the store failed.
    pub(super) fn during(step: &'static str) -> impl FnOnce(DbError) -> Self {
        move |source| Self::Store { step, source }
    }

    /// Whether the same attempt may succeed when made again at once.
    pub(super) const fn is_contention(&self) -> bool {
        matches!(self, Self::Store { source, .. } if source.is_contention())
    }
}

impl From<GradingError> for Failure {
    fn from(error: GradingError) -> Self {
        let text = error.to_string();
        match error {
            GradingError::NoSuchRun(_) => Self::not_found("run_not_found", text),
            GradingError::NotCovered(_) => Self::not_found("subject_not_covered", text),
            GradingError::Busy => Self::new(FailureKind::Conflict, "run_in_progress", text),
            GradingError::NotATrial { .. } => Self::new(FailureKind::Conflict, "run_not_a_trial", text),
            GradingError::NotOver { .. } => Self::new(FailureKind::Conflict, "period_not_over", text),
            GradingError::Backwards { .. } => Self::new(FailureKind::Conflict, "round_goes_back", text),
            GradingError::Altered(_) => Self::new(FailureKind::Conflict, "run_altered", text),
            GradingError::Data { .. } => Self::new(FailureKind::Unprocessable, "data_out_of_range", text),
            GradingError::Refused(_) => Self::new(FailureKind::Unprocessable, "model_refused", text),
            GradingError::Model { .. } | GradingError::Stopped => Self::internal(text),
            GradingError::Store { step, source } => {
                let failure = Self::from(source);
                let context = failure.context.clone().unwrap_or_default();
                failure.because(format!("{step}: {context}"))
            }
        }
    }
}
