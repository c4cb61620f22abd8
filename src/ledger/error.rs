//! Errors of the ledger outside recording and sealing.

use crate::{
    domain::{Failure, FailureKind, Malformed, error_chain},
    merkle::NoteError,
    store::DbError,
};

/// Why the ledger could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A value does not fit the form of an entry.
    #[error("the entry cannot be made: {0}")]
    Entry(#[source] Malformed),
    #[error("the ledger's tables")]
    Store(#[source] DbError),
    /// The proposal that a change is made under is not approved any more: it has expired, was rejected or was executed before.
    #[error(
        "the proposal {0} is not approved any more: it has expired, was rejected or was executed before. Nothing was changed"
    )]
    NotApproved(String),
    /// The journal of answers could not be read or renamed.
    #[error("the journal of answers")]
    Answers(#[source] std::io::Error),
    /// What is stored contradicts itself: somebody changed it.
    #[error("the ledger has been tampered with: {0}")]
    Tampered(String),
    /// A stored checkpoint is malformed, or no known key signed it.
    #[error("the checkpoint of size {size}")]
    Checkpoint {
        /// The size it is stored under.
        size: i64,
        /// What is wrong with it.
        #[source]
        source: NoteError,
    },
}

impl From<Malformed> for LedgerError {
    fn from(error: Malformed) -> Self {
        Self::Entry(error)
    }
}

impl From<DbError> for LedgerError {
    fn from(error: DbError) -> Self {
        Self::Store(error)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => error.into(),
            LedgerError::NotApproved(_) => Self::new(FailureKind::Conflict, "proposal_wrong_state", error.to_string()),
            other => Self::internal(error_chain(&other)),
        }
    }
}
