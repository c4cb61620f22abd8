//! The failure type of every use case, independent of transport. Only `http/problem.rs` knows status codes.

use std::time::Duration;

use super::QuotaUse;

/// A failure, with a text for the caller (`public`) and one for the log (`context`). It has no `Display`, so that the
/// private text cannot leak by accident.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The class of failure, with the details that the caller needs to react.
    pub kind: FailureKind,
    /// A stable snake_case code, also the metric's label. docs/ERRORS.md lists all of them.
    pub code: &'static str,
    /// A sentence the caller may read.
    pub public: String,
    /// Details for the operator; written to the log only.
    pub context: Option<String>,
}

/// The classes of failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// The request is malformed.
    Invalid {
        /// The parameter or JSON pointer at fault.
        field: String,
    },
    /// The caller's identity is not proved.
    Unauthenticated,
    /// The caller is known and not allowed to do this.
    Forbidden,
    /// The resource does not exist, or the caller may not learn that it does.
    NotFound,
    /// The request contradicts the current state.
    Conflict,
    /// The request is well-formed and cannot be carried out.
    Unprocessable,
    /// A rate limit is exceeded.
    Limited {
        /// When to try again.
        retry_after: Duration,
        /// The names of the exceeded limits.
        policies: Vec<String>,
    },
    /// A quota that was granted to the caller is used up.
    Spent {
        /// When the quota is refilled; none where waiting does not help.
        retry_after: Option<Duration>,
        /// The state of the granted quotas; at least one has nothing left.
        quotas: Vec<QuotaUse>,
    },
    /// The gateway cannot do it safely now.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// A defect of the gateway.
    Internal,
}

impl Failure {
    /// Creates a failure without context.
    pub fn new(kind: FailureKind, code: &'static str, public: impl Into<String>) -> Self {
        Self { kind, code, public: public.into(), context: None }
    }

    /// A malformed request: `field` names where.
    pub fn invalid(field: impl Into<String>, code: &'static str, public: impl Into<String>) -> Self {
        Self::new(FailureKind::Invalid { field: field.into() }, code, public)
    }

    /// The caller is not allowed to do this.
    pub fn forbidden(code: &'static str, public: impl Into<String>) -> Self {
        Self::new(FailureKind::Forbidden, code, public)
    }

    /// The resource does not exist, or this caller may not learn that it does.
    pub fn not_found(code: &'static str, public: impl Into<String>) -> Self {
        Self::new(FailureKind::NotFound, code, public)
    }

    /// The gateway cannot do this safely now; the caller may try again in a second.
    pub fn unavailable(code: &'static str, context: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Unavailable { retry_after: Duration::from_secs(1) },
            code,
            public: "The gateway cannot answer this safely at the moment. Try again shortly.".into(),
            context: Some(context.into()),
        }
    }

    /// A defect of the gateway; the text goes to the log only.
    pub fn internal(context: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Internal,
            code: "internal",
            public: "An internal error occurred. It was logged for the operator.".into(),
            context: Some(context.into()),
        }
    }

    /// Adds a text for the operator's log.
    #[must_use]
    pub fn because(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Whether the same request may succeed later.
    pub const fn retryable(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Limited { .. }
                | FailureKind::Spent { retry_after: Some(_), .. }
                | FailureKind::Unavailable { .. }
        )
    }
}
