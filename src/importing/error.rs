//! Why a file as a whole could not be imported. A bad row is a finding, not an error.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::store::{CrypterError, DbError, personal::PersonalError};

/// Why a file as a whole could not be imported. None of its rows is accepted.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Another import is running in this store.
    #[error("another import is running in this store: wait for it to end")]
    Busy,
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file has no header.
    #[error("the file is empty: its first line must name the columns")]
    EmptyFile,
    /// The header is not UTF-8.
    #[error("the header is not UTF-8: save the file as UTF-8, or use --encoding gb18030")]
    HeaderNotUtf8,
    /// The header has bytes that are no character of the file's encoding.
    #[error("the header has bytes that are no character: save the file in Excel as \"CSV UTF-8\" or as .xlsx")]
    HeaderNotDecodable,
    /// The rows fit both encodings.
    #[error(
        "the file can be read as UTF-8 and as GB 18030 (GBK), with different names: say which it is, with --encoding utf-8 or --encoding gb18030"
    )]
    EncodingUnclear,
    /// The rows fit no encoding that is supported.
    #[error("the file is neither UTF-8, UTF-16 nor GB 18030 (GBK): save it in Excel as \"CSV UTF-8\" or as .xlsx")]
    EncodingUnknown,
    /// The file is not text.
    #[error("the file is no text, although it is to be read as CSV: save it in Excel as .xlsx or as \"CSV UTF-8\"")]
    NotText,
    /// The file is a web page, as some systems export under the name of an Excel file.
    #[error("the file is a web page, whatever its name says: open it in Excel and save it as .xlsx")]
    WebPage,
    /// The rows are not UTF-8 and read as GB 18030.
    #[error("the file is not UTF-8; its rows read as GB 18030: use --encoding gb18030, or save it as UTF-8")]
    LooksLikeGb18030,
    /// `--encoding gb18030` was given and every row is UTF-8.
    #[error("the file is UTF-8, not GB 18030: omit --encoding gb18030")]
    LooksLikeUtf8,
    /// The file is no Excel workbook, or damaged.
    #[error("the file cannot be read as an Excel workbook: save it in Excel as .xlsx")]
    Workbook(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The workbook has a password.
    #[error("the workbook is protected by a password: save it without one")]
    WorkbookLocked,
    /// The workbook would need too much memory.
    #[error("the workbook is too large: {what}; save the sheet as CSV, or divide it")]
    WorkbookTooLarge {
        /// What is beyond which limit.
        what: String,
    },
    /// The workbook has no such sheet.
    #[error("the workbook has no sheet {sheet:?}: use --sheet with one of {}", .sheets.join(", "))]
    SheetUnknown {
        sheet: String,
        /// The names of its sheets.
        sheets: Vec<String>,
    },
    /// The empty workbook of a template cannot be written.
    #[error("the workbook of the template could not be written")]
    Template(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file is not Parquet, or damaged.
    #[error("the file cannot be read as Parquet")]
    Parquet(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Parquet was left out of this build.
    #[error("this build cannot read Parquet: it was built without the feature `parquet`")]
    NoParquet,
    /// The file has more rows than an upload may have.
    #[error("the file has more than {most} rows: send it in parts")]
    TooManyRows {
        /// The limit.
        most: u64,
    },
    /// The header does not fit the template.
    #[error("the header does not fit the template {template}: {}", .faults.join("; "))]
    Header {
        template: &'static str,
        /// Each column that is missing, unknown, repeated, or of a wrong type.
        faults: Vec<String>,
    },
    /// A row is longer than any row can be: most likely a quote is not closed.
    #[error("the row that begins on line {line} is longer than 1 MiB: is a quote not closed?")]
    RowTooLong {
        /// The line that it begins on.
        line: u64,
    },
    /// A quote is not closed, and would swallow the rows that follow.
    #[error(
        "a quotation mark on line {line} is not closed, or stands before more text, and swallows the lines that follow: close it, or write it twice"
    )]
    OpenQuote {
        /// The line that the row begins on.
        line: u64,
    },
    /// The numbers of lines and rows do not add up.
    #[error(
        "of {lines} lines, {rows} were accepted or rejected and {skipped} skipped, besides the header: lines were lost, so none was accepted; report this as a defect"
    )]
    LinesLost { lines: u64, rows: u64, skipped: u64 },
    /// The CSV reader failed.
    #[error("the file could not be read to its end")]
    Csv(#[source] csv::Error),
    /// The file no longer has the digest that was computed first.
    #[error("the file changed while it was read; none of its rows was accepted")]
    Changed,
    /// Another sender has imported the same file.
    #[error("another sender has already imported this file")]
    KnownFromOthers,
    /// The sender was suspended while its file was read.
    #[error("the sender was suspended while its file was read; none of its rows was accepted")]
    SenderEnded,
    /// The ledger entry could not be written.
    #[error("the ledger entry of the import could not be written")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The report cannot be written.
    #[error("the report {path} cannot be written")]
    Rejects {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the store could not {what}")]
    Store {
        /// The operation that failed.
        what: &'static str,
        #[source]
        source: DbError,
    },
    /// The import that the file is said to replace cannot be replaced.
    #[error("{0}: nothing was stored")]
    Replaces(String),
    /// Fewer rows of a file are accepted than when it was imported before.
    #[error(
        "the same file was imported as {import}, with {before} rows accepted; now only {now} would be: nothing was stored. If that is right, use --replaces {import}"
    )]
    FewerAccepted {
        /// The number of the earlier import.
        import: i64,
        before: u64,
        now: u64,
    },
    /// A decision about a fact cannot be applied.
    #[error("{0}")]
    Decision(String),
    /// There is no fact to take back.
    #[error(
        "no accepted file has a fact of {measure} with the reference {reference:?} for {subject}: compare the code, the measure and the document's number"
    )]
    FactUnknown { subject: String, measure: String, reference: String },
    /// An account number could not be hashed.
    #[error("an account number could not be hashed")]
    Crypter(#[source] CrypterError),
    /// Personal data could not be sealed or opened.
    #[error("a subject's personal data could not be sealed or opened")]
    Personal(#[source] PersonalError),
    /// A staged row could not be written or read as JSON.
    #[error("a staged row is not the JSON it should be")]
    Json(#[source] serde_json::Error),
    /// Checked facts could not be written to the temporary file, or read from it.
    #[error("the temporary file for facts could not be written or read: is there room in the temporary directory?")]
    Spill {
        #[source]
        source: io::Error,
    },
    /// The thread that reads the file ended without a result.
    #[error("the file's reader stopped unexpectedly")]
    ReaderGone,
}

impl ImportError {
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// For `map_err`: names the operation that failed.
    pub(super) fn store(what: &'static str) -> impl FnOnce(DbError) -> Self {
        move |source| Self::Store { what, source }
    }
}
