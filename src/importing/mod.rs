//! The bureau's files -> checked rows -> the store, with a report of what was not taken.
//!
//! A file, CSV or Parquet, is read in bounded memory, row by row; a bad row is reported and never stops it. Rows wait in bulk tables under
//! the import's number, seen by nobody, until one last transaction on the core accepts all of them at once. The same
//! file is recognised by its SHA-256 and changes nothing. One import runs at a time in a store, whichever process does
//! it; so what a killed one left behind belongs to nobody, and the next one removes it before it begins.
//!
//! Personal parts are sealed, and account numbers hashed, before they reach a statement. This room does not know what a
//! grade is, or who may read what it brings.

mod accept;
mod batch;
mod deliver;
mod error;
mod events;
mod facts;
pub mod findings;
mod import;
mod reseal;
mod row;
mod rows;
mod source;
mod stager;
mod template;
mod write;

use crate::domain::Actor;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use crate::{
    domain::{Kinds, TableError, ids::ClientId, region::RegionTable},
    scoring::{Catalogue, Measure},
    store::{Crypter, Env},
};

pub use deliver::{Delivered, Delivery, DeliveryReport, ListedFinding, Uploads};
pub use error::ImportError;
pub use findings::{Code, Finding, Severity};
pub use reseal::{Resealed, reseal_subjects};
pub use source::{Encoding, Format, Input};
pub use template::Template;

/// The purpose under which [`Crypter::blind`] hashes account numbers; a match is asked for under the same.
pub const ACCOUNT_NUMBER: &str = "account number";

/// What the city's rows are checked against.
#[derive(Debug, Clone)]
pub struct References {
    /// The kinds of subject and their codes.
    pub kinds: Kinds,
    /// The local regions.
    pub regions: RegionTable,
    /// The measures of each kind.
    pub catalogues: BTreeMap<String, Catalogue>,
}

impl References {
    /// The kinds and regions compiled in, with some catalogues.
    pub fn built_in(catalogues: impl IntoIterator<Item = Catalogue>) -> Result<Self, TableError> {
        Ok(Self::new(Kinds::built_in()?, RegionTable::built_in()?, catalogues))
    }

    /// A city's kinds, regions and catalogues.
    pub fn new(kinds: Kinds, regions: RegionTable, catalogues: impl IntoIterator<Item = Catalogue>) -> Self {
        let catalogues = catalogues.into_iter().map(|one| (one.kind().to_owned(), one)).collect();
        Self { kinds, regions, catalogues }
    }
}

/// What a checker needs to know, for the length of one file.
#[derive(Debug, Clone)]
struct Rules {
    references: Arc<References>,
    crypter: Arc<Crypter>,
    accept_uscc_mismatch: bool,
    /// Whom the sender may speak for; anybody, when absent.
    sources: Option<Arc<BTreeSet<String>>>,
}

impl std::ops::Deref for Rules {
    type Target = References;

    fn deref(&self) -> &References {
        &self.references
    }
}

impl Rules {
    /// A measure of the catalogue for the kind a code is of.
    fn measure(&self, code: &str, name: &str) -> Option<&Measure> {
        self.catalogues.get(&self.kinds.of_code(code)?.id)?.measure(name)
    }
}

/// Who delivers a file over the network.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The client.
    pub client: ClientId,
    /// Its epoch when it was proved: nothing is accepted from it once that was raised.
    pub epoch: i64,
    /// The sources it may speak for.
    pub sources: Arc<BTreeSet<String>>,
}

/// How one file is imported.
#[derive(Debug, Clone)]
pub struct Options {
    /// What kind of file it is; what its name says, when absent.
    pub format: Option<Format>,
    /// Where the report goes; beside the file, as FILE.rejects.csv, when absent.
    pub rejects: Option<PathBuf>,
    /// Takes subjects whose unified social credit code fails its check, as a warning: the operator has looked.
    pub accept_uscc_mismatch: bool,
    /// Checks and reports only; nothing is written to the store.
    pub check_only: bool,
    /// Who delivers it; an operator, when absent.
    pub sender: Option<Sender>,
    /// More rows are an error.
    pub most_rows: Option<u64>,
    /// Rows of one statement, and what bounds the memory.
    pub chunk_rows: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            rejects: None,
            accept_uscc_mismatch: false,
            check_only: false,
            sender: None,
            most_rows: None,
            chunk_rows: 10_000,
        }
    }
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of the file read so far.
    pub bytes: u64,
    /// Bytes of the file.
    pub total_bytes: u64,
    /// Rows dealt with.
    pub rows: u64,
    /// Those not taken.
    pub rejected: u64,
    /// Statements so far.
    pub chunks: u64,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its rows count from now on.
    Accepted,
    /// The very same file was accepted before; nothing was written.
    Recognised,
    /// No row could be taken, so there is nothing to accept; the file may be imported again.
    NothingTaken,
    /// It was only checked.
    Checked,
}

/// What an import came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The template.
    pub template: Template,
    /// The file's name.
    pub file_name: String,
    /// Its SHA-256, hex.
    pub sha256: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Its id, where it has one: of this import, or of the earlier one that had the same file.
    pub import_id: Option<String>,
    /// The number of the import: of this one, or of the earlier one that had the same file.
    pub import_seq: Option<i64>,
    /// Rows of the file, the header not counted.
    pub rows: u64,
    /// Rows taken.
    pub accepted: u64,
    /// Rows not taken.
    pub rejected: u64,
    /// Warnings about rows that were taken.
    pub warnings: u64,
    /// How many findings there were of each code.
    pub findings: BTreeMap<&'static str, u64>,
    /// Subjects that were new, changed, and as before.
    pub subjects: SubjectChanges,
    /// Statements that staged its rows.
    pub chunks: u64,
    /// Remains of killed imports that were removed first.
    pub removed: u64,
    /// Where the report of findings is, if there were any.
    pub rejects: Option<PathBuf>,
    /// The first findings, of what was delivered in memory.
    pub listed: Vec<Finding>,
}

/// What an import did to subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubjectChanges {
    /// Not known before.
    pub new: u64,
    /// Known, with other values: each got the next version.
    pub changed: u64,
    /// Known, with the same values: untouched.
    pub unchanged: u64,
}

/// Imports files into a store.
#[derive(Debug, Clone)]
pub struct Importer {
    env: Env,
    /// Who imports, where no department delivers.
    actor: Actor,
    crypter: Arc<Crypter>,
    references: Arc<References>,
    halves_back: u8,
}

/// How many half-years before the present one rounds may still be made of, where nobody says otherwise: two years.
pub const HALVES_BACK: u8 = 4;

impl Importer {
    /// An importer into a store on behalf of `actor`, sealing with `crypter` and checking against `references`.
    pub fn new(env: Env, actor: Actor, crypter: Arc<Crypter>, references: References) -> Self {
        Self { env, actor, crypter, references: Arc::new(references), halves_back: HALVES_BACK }
    }

    /// The same, refusing facts that were over when another half-year began: so many before the present one.
    #[must_use]
    pub const fn looking_back(mut self, halves_back: u8) -> Self {
        self.halves_back = halves_back;
        self
    }
}
