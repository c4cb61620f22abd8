//! Why a round of sealing failed.

use std::path::PathBuf;

use super::super::{checkpoint_file::CheckpointFileError, error::LedgerError, history::HistoryState};
use crate::{merkle::NoteError, store::DbError};

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The tables failed, or contradict themselves.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger in the database is not the newest that is known outside, or nothing is known to compare it with (I9).
    #[error(transparent)]
    History(HistoryState),
    /// The history could not be compared for some time: it may be another one by now (I9).
    #[error("changes cannot be read: nothing is sealed until they are")]
    Outdated,
    /// The gateway's clock is not to be relied on (I10): the time of sealing is what other clocks are compared with.
    #[error("{0}")]
    Clock(String),
    /// No key is active.
    #[error("no key for signing checkpoints is active")]
    NoKey,
    /// The checkpoint could not be signed.
    #[error("the checkpoint could not be signed")]
    Sign(#[source] NoteError),
    /// The checkpoint file could not be read or replaced.
    #[error(transparent)]
    CheckpointFile(#[from] CheckpointFileError),
    /// The checkpoint file holds something else than a checkpoint of this log.
    #[error("the checkpoint file {path} does not hold a checkpoint of this log")]
    ForeignCheckpointFile {
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: NoteError,
    },
    /// The database has fewer leaves than the checkpoint file covers, or than this process has seen.
    #[error("the ledger has {have} leaves but had {had}: its tail was cut off, or an old database was put in place")]
    CutOff {
        /// Leaves in the database.
        have: u64,
        /// Leaves it had before.
        had: u64,
    },
    /// The database's tree does not extend the tree of the checkpoint file.
    #[error("the ledger's first {size} leaves are not those of the checkpoint file")]
    Rewritten {
        /// The size of the tree in the checkpoint file.
        size: u64,
    },
}

impl From<DbError> for SealError {
    fn from(error: DbError) -> Self {
        Self::Ledger(error.into())
    }
}
