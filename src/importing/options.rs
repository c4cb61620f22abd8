//! How one file is imported.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use super::{Format, RejectsBy};
use crate::domain::ids::ClientId;

/// The department client that uploads a file.
#[derive(Debug, Clone)]
pub struct Sender {
    pub client: ClientId,
    /// Its epoch when its token was checked. Nothing is accepted from it once the epoch has been raised.
    pub epoch: i64,
    /// The sources whose facts it may report.
    pub sources: Arc<BTreeSet<String>>,
}

/// Options of one import.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file format; recognised by the file, when absent.
    pub format: Option<Format>,
    /// The sheet of a workbook; the first one, when absent.
    pub sheet: Option<String>,
    /// Path of the report of findings: CSV, or a workbook if it ends in `.xlsx`. When absent, both are beside the file,
    /// as `FILE.rejects.csv` and `FILE.rejects.xlsx`.
    pub rejects: Option<PathBuf>,
    /// Divides the report into files of a folder, which is the path above.
    pub rejects_by: Option<RejectsBy>,
    /// Accepts subjects whose unified social credit code fails its check digit, with a warning: the operator has
    /// compared it with the licence.
    pub accept_uscc_mismatch: bool,
    /// Checks and reports only; writes nothing to the store.
    pub check_only: bool,
    /// The import that the file replaces, by its number or id: facts of it that the file does not have no longer count.
    pub replaces: Option<String>,
    /// The department that uploads the file; an operator imports it, when absent.
    pub sender: Option<Sender>,
    /// Refuses files with more rows than this.
    pub most_rows: Option<u64>,
    /// Rows of one batch, which is one statement. Bounds the memory of an import.
    pub chunk_rows: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            sheet: None,
            rejects: None,
            rejects_by: None,
            accept_uscc_mismatch: false,
            check_only: false,
            replaces: None,
            sender: None,
            most_rows: None,
            chunk_rows: 10_000,
        }
    }
}
