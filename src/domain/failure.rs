//! The transport-free failure every use-case ends in. Status codes are `http/problem.rs`'s business alone.

use std::time::Duration;

use super::QuotaUse;

/// What went wrong, for the caller (`public`) and for the log (`context`), as a pair without `Display` so that the
/// private half cannot leak by accident.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The class of failure, with what the caller needs to react.
    pub kind: FailureKind,
    /// A stable snake_case code, also the metric's label. Every one stands in docs/ERRORS.md.
    pub code: &'static str,
    /// A sentence the caller may read.
    pub public: String,
    /// What the operator needs to know; never leaves the process but by its log.
    pub context: Option<String>,
}

/// The classes of failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// The request is malformed; `field` names where.
    Invalid {
        /// The parameter or JSON pointer at fault.
        field: String,
    },
    /// Who is calling is not proved.
    Unauthenticated,
    /// Who is calling is known and may not do this.
    Forbidden,
    /// It does not exist, or the caller may not know that it does.
    NotFound,
    /// It contradicts the present state.
    Conflict,
    /// The request is well-formed and cannot be carried out.
    Unprocessable,
    /// The caller has done too much of it.
    Limited {
        /// When trying again makes sense.
        retry_after: Duration,
        /// The named policies that were violated.
        policies: Vec<String>,
    },
    /// What was given to the caller to use is used up.
    Spent {
        /// When there is some again; none where waiting does not help.
        retry_after: Option<Duration>,
        /// How the caller stands with the limits of what was given: those with nothing left are reached.
        quotas: Vec<QuotaUse>,
    },
    /// The gateway cannot do it safely now.
    Unavailable {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// A defect of ours.
    Internal,
}

impl Failure {
    /// A failure of a kind, with its code and its sentence.
    pub fn new(kind: FailureKind, code: &'static str, public: impl Into<String>) -> Self {
        Self { kind, code, public: public.into(), context: None }
    }

    /// A malformed request: `field` names where.
    pub fn invalid(field: impl Into<String>, code: &'static str, public: impl Into<String>) -> Self {
        Self::new(FailureKind::Invalid { field: field.into() }, code, public)
    }

    /// The caller may not.
    pub fn forbidden(code: &'static str, public: impl Into<String>) -> Self {
        Self::new(FailureKind::Forbidden, code, public)
    }

    /// Not there, or not for this caller to know.
    pub fn not_found(code: &'static str, public: impl Into<String>) -> Self {
        Self::new(FailureKind::NotFound, code, public)
    }

    /// Not safely possible now; the caller may try again in a second.
    pub fn unavailable(code: &'static str, context: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Unavailable { retry_after: Duration::from_secs(1) },
            code,
            public: "The gateway cannot answer this safely at the moment. Try again shortly.".into(),
            context: Some(context.into()),
        }
    }

    /// A defect of ours; the text goes to the log only.
    pub fn internal(context: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Internal,
            code: "internal",
            public: "Something failed inside the gateway. The operator has been told.".into(),
            context: Some(context.into()),
        }
    }

    /// The same failure with something for the operator's log.
    #[must_use]
    pub fn because(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Whether the same request may succeed later without change.
    pub const fn retryable(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Limited { .. }
                | FailureKind::Spent { retry_after: Some(_), .. }
                | FailureKind::Unavailable { .. }
        )
    }
}
