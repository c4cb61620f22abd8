//! Errors of this room.

use std::{io, path::PathBuf};

use crate::{ledger::LedgerError, store::DbError};

/// Why there is no backup, or no restored store.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database failed, or is not empty.
    #[error(transparent)]
    Store(#[from] DbError),
    /// The entry could not be written.
    #[error("the backup could not be recorded in the ledger")]
    Ledger(#[from] LedgerError),
    /// A file could not be read or written.
    #[error("{path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Another backup of the same store is being made.
    #[error("another backup of this store is being made: wait until it is done")]
    Running,
    /// The archive's name is taken.
    #[error("{0} exists: give the archive another name, or move the old one away")]
    Exists(PathBuf),
    /// The archive cannot be used.
    #[error("the archive cannot be used: {0}")]
    Archive(String),
    /// The store has something already.
    #[error("{0} exists: restore into an empty directory")]
    NotEmpty(PathBuf),
}

impl BackupError {
    /// For `map_err` on operations on a file.
    pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
