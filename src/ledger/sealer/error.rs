//! Why a round of sealing came to nothing.

use std::path::PathBuf;

use crate::{
    ledger::{CheckpointFileError, LedgerError},
    merkle::NoteError,
    store::DbError,
};

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The tables failed, or contradict themselves.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No key is active.
    #[error("no key for signing checkpoints is active")]
    NoKey,
    /// The checkpoint could not be signed.
    #[error("the checkpoint could not be signed")]
    Sign(#[source] NoteError),
    /// The checkpoint outside could not be read or replaced.
    #[error(transparent)]
    Outside(#[from] CheckpointFileError),
    /// What the file outside holds is not a checkpoint of this log.
    #[error("the checkpoint file {path} holds none of this log")]
    ForeignOutside {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: NoteError,
    },
    /// The database has less than a checkpoint outside, or than this process has seen.
    #[error("the ledger has {have} leaves but had {had}: its tail was cut off, or an old database was put in place")]
    CutOff {
        /// How many there are.
        have: u64,
        /// How many there were.
        had: u64,
    },
    /// The database's tree does not begin with the one of the checkpoint outside.
    #[error("the ledger's first {size} leaves are not those of the checkpoint outside")]
    Rewritten {
        /// The size of the checkpoint outside.
        size: u64,
    },
}

impl From<DbError> for SealError {
    fn from(error: DbError) -> Self {
        Self::Ledger(error.into())
    }
}
