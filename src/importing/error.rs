//! Why a file as a whole could not be imported. A bad row is a finding, not an error.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::store::{CrypterError, DbError, personal::PersonalError};

/// Why a file as a whole could not be imported. Nothing of it counts.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Another import is running in this store.
    #[error("another import is running in this store: wait for it to end")]
    Busy,
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file has no header.
    #[error("the file is empty: its first line must name the columns")]
    EmptyFile,
    /// The header is not UTF-8.
    #[error("the header is not UTF-8: save the file as UTF-8, or say --encoding gb18030")]
    HeaderNotUtf8,
    /// The header is not GB 18030 either.
    #[error("the header holds bytes that are no character of GB 18030")]
    HeaderNotGb18030,
    /// The rows are not UTF-8 and read as GB 18030.
    #[error("the file is not UTF-8; its rows read as GB 18030: say --encoding gb18030, or save it as UTF-8")]
    LooksLikeGb18030,
    /// The file is said to be GB 18030 and every row is UTF-8.
    #[error("the file is UTF-8, not GB 18030: leave --encoding gb18030 out")]
    LooksLikeUtf8,
    /// The file is no Parquet, or damaged.
    #[error("the file cannot be read as Parquet")]
    Parquet(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Parquet was left out of this build.
    #[error("this build reads no Parquet: it was built without the feature `parquet`")]
    NoParquet,
    /// The file has more rows than its sender may send at once.
    #[error("the file has more than {most} rows: send it in parts")]
    TooManyRows {
        /// How many it may have.
        most: u64,
    },
    /// The header does not fit the template.
    #[error("the header does not fit the template {template}: {}", .faults.join("; "))]
    Header {
        /// The template.
        template: &'static str,
        /// Each column that is missing, unknown, repeated, or of a type it cannot have.
        faults: Vec<String>,
    },
    /// A row has no end: most likely a quote is not closed.
    #[error("the row that begins on line {line} is longer than 1 MiB: is a quote not closed?")]
    RowTooLong {
        /// Where it begins.
        line: u64,
    },
    /// The CSV reader failed.
    #[error("the file could not be read to its end")]
    Csv(#[source] csv::Error),
    /// The file is no longer the one whose digest was taken.
    #[error("the file changed while it was read; nothing of it was taken")]
    Changed,
    /// The very file was imported already, and not for this sender.
    #[error("this very file was imported already, by another sender")]
    KnownFromOthers,
    /// The sender was stopped while its file was read.
    #[error("the sender was stopped while its file was read; nothing of it was taken")]
    SenderEnded,
    /// The import could not be entered in the ledger.
    #[error("the import could not be entered in the ledger")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The report cannot be written.
    #[error("the report {path} cannot be written")]
    Rejects {
        /// The report.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store failed.
    #[error("the store could not {what}")]
    Store {
        /// What it was asked to do.
        what: &'static str,
        /// Why it did not.
        #[source]
        source: DbError,
    },
    /// A personal part could not be sealed.
    #[error("a personal part could not be sealed")]
    Crypter(#[source] CrypterError),
    /// Personal parts could not be sealed or opened.
    #[error("a subject's personal parts could not be sealed or opened")]
    Personal(#[source] PersonalError),
    /// A staged row could not be written or read as JSON.
    #[error("a staged row is not the JSON it should be")]
    Json(#[source] serde_json::Error),
    /// Checked facts could not be kept while the rest of the file was read.
    #[error("the temporary file for facts could not be written or read: is there room in the temporary directory?")]
    Spill {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread that reads the file ended without saying so.
    #[error("the file's reader stopped unexpectedly")]
    ReaderGone,
}

impl ImportError {
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// For `map_err`: what the store was asked to do.
    pub(super) fn store(what: &'static str) -> impl FnOnce(DbError) -> Self {
        move |source| Self::Store { what, source }
    }
}
