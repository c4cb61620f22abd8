//! Errors of the store.

use crate::domain::{Failure, error_chain};

/// A failure of the database, classified as far as callers act on it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A named constraint refused the change.
    #[error("{operation}: constraint {constraint} refused the change")]
    Constraint {
        operation: &'static str,
        /// The constraint (PostgreSQL) or the `table.column` list (SQLite).
        constraint: String,
    },
    /// A conflict with another transaction; the same transaction may succeed when tried again.
    #[error("{operation}: another transaction was in the way")]
    Contention { operation: &'static str },
    /// All connections of the pool are in use, and the server accepts more; the same transaction may succeed later.
    #[error("{operation}: all connections to the database are in use")]
    Busy { operation: &'static str },
    /// The server gives no connection.
    #[error("{operation}: the database cannot be reached: {cause}")]
    Unreachable {
        operation: &'static str,
        /// What happened at the last attempt to connect.
        cause: String,
    },
    /// A value read back is not what its column promises.
    #[error("{operation}: {what}")]
    Corrupt {
        operation: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The commit was sent and its outcome is unknown.
    #[error("{operation}: the outcome of the commit is not known")]
    CommitUnknown {
        operation: &'static str,
        #[source]
        source: sqlx::Error,
    },
    /// The changes are committed, and the journal of ends outside the database could not be written.
    #[error("{operation}: the change is made, and the journal of ends {} could not be written", path.display())]
    Journal {
        operation: &'static str,
        /// The journal.
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Any other error of the database.
    #[error("{operation}")]
    Engine {
        operation: &'static str,
        #[source]
        source: sqlx::Error,
    },
    /// The database cannot be used as configured.
    #[error("{0}")]
    Setup(String),
}

impl DbError {
    pub(super) fn of(operation: &'static str, source: sqlx::Error) -> Self {
        let error = Self::sort(operation, source);
        error.count(operation);
        error
    }

    pub(super) fn unreachable(operation: &'static str, cause: String) -> Self {
        let error = Self::Unreachable { operation, cause };
        error.count(operation);
        error
    }

    fn count(&self, operation: &'static str) {
        let kind = match self {
            Self::Contention { .. } | Self::Busy { .. } => "contention",
            Self::Constraint { .. } => "constraint",
            Self::Unreachable { .. } => "unreachable",
            _ => "engine",
        };
        metrics::counter!("medcredit_store_errors_total", "operation" => operation, "kind" => kind).increment(1);
    }

    /// An error of a commit: unless the server reports that it refused the commit, it may have succeeded.
    pub(super) fn of_commit(operation: &'static str, source: sqlx::Error) -> Self {
        match Self::of(operation, source) {
            // Contention and constraints are the server's own reports, after which nothing was committed.
            Self::Engine { operation, source } if !is_refused(&source) => Self::CommitUnknown { operation, source },
            refused => refused,
        }
    }

    fn sort(operation: &'static str, source: sqlx::Error) -> Self {
        if matches!(source, sqlx::Error::PoolTimedOut) {
            return Self::Busy { operation };
        }
        if let sqlx::Error::Database(error) = &source {
            // 40001 serialization, 40P01 deadlock, 55P03 lock timeout; 5 and 517 are SQLITE_BUSY and BUSY_SNAPSHOT.
            if matches!(error.code().as_deref(), Some("40001" | "40P01" | "55P03" | "5" | "517" | "261")) {
                return Self::Contention { operation };
            }
            if error.is_unique_violation() || error.is_foreign_key_violation() || error.is_check_violation() {
                // SQLite's driver gives no name of a constraint; the message has it.
                let constraint = error.constraint().map_or_else(|| error.message().to_owned(), str::to_owned);
                return Self::Constraint { operation, constraint };
            }
        }
        Self::Engine { operation, source }
    }

    /// The database's own code of the error, if it is one of the database's.
    pub(super) fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Engine { source: sqlx::Error::Database(error), .. } => error.code(),
            _ => None,
        }
    }

    /// Whether the same transaction may succeed when tried again.
    pub const fn is_contention(&self) -> bool {
        matches!(self, Self::Contention { .. } | Self::Busy { .. })
    }

    /// Whether a table or a schema does not exist.
    pub(super) fn is_missing_table(&self) -> bool {
        let Self::Engine { source: sqlx::Error::Database(error), .. } = self else { return false };
        matches!(error.code().as_deref(), Some("42P01" | "3F000")) || error.message().starts_with("no such table")
    }

    /// Whether a constraint refused the change.
    pub const fn is_constraint(&self) -> bool {
        matches!(self, Self::Constraint { .. })
    }

    /// A stored value that is not valid for its column.
    pub fn corrupt(operation: &'static str, what: impl Into<String>) -> Self {
        Self::Corrupt { operation, what: what.into() }
    }
}

/// Whether the server reports that it refused a statement, so that nothing of it was committed: it does not sync (22P02, see
/// `durability.rs`), is read-only (25006), or its disk or memory is full (53100, 53200).
fn is_refused(source: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = source else { return false };
    matches!(error.code().as_deref(), Some("22P02" | "25006" | "53100" | "53200"))
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::unavailable("store_unavailable", error_chain(&error))
    }
}
