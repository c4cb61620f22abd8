//! How one file is imported.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use super::Format;
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
    /// The file format; derived from the file's name, when absent.
    pub format: Option<Format>,
    /// Path of the report of findings; `FILE.rejects.csv` beside the file, when absent.
    pub rejects: Option<PathBuf>,
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
            rejects: None,
            accept_uscc_mismatch: false,
            check_only: false,
            replaces: None,
            sender: None,
            most_rows: None,
            chunk_rows: 10_000,
        }
    }
}
