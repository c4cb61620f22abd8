//! Packages: signed files with the grades of a round, for platforms such as the public credit platforms.
//!
//! - A platform is one file (`platform`): what it may have, when, by which carrier, and under which names.
//! - Only the round in force is exported, only of kinds that the platform may have, and only publishable kinds to a platform
//!   that publishes. Natural persons are included only as its file allows, and never where it publishes; subjects with an
//!   open objection are left out or marked (I4).
//! - The manifest of a package has the digests of its files and is signed. The export is recorded in the ledger before the
//!   first byte is written (I1). Anybody with the public keys can verify a package.
//!
//! A package is made without knowing how it is transported: [`carrier`] does that.

pub mod carrier;
mod data;
mod detached;
mod exchange_message;
mod manifest;
mod package;
pub mod platform;
mod verify;

pub use detached::Detached;
pub use manifest::{DataFile, LeftOut, Manifest, MappedBy, mapping_digest, sha256};
pub use package::{Exported, Exporter, Package};
pub use verify::PackageFault;

use std::fmt;

use platform::RenderError;

use crate::{grading::GradingError, identity::SuiteError, ledger::LedgerError, scoring::SchemeRef, store::DbError};

/// The file name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// The file name of the signature.
pub const SIGNATURE: &str = "manifest.jws";

/// Why a package could not be made or recorded.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The platform may not have this kind of subject.
    #[error("{platform} may not have grades of {kind}: its file names {allowed}")]
    NotForPlatform {
        platform: String,
        kind: String,
        /// The kinds that it may have.
        allowed: String,
    },
    /// The platform publishes what it receives, and this kind must not be published.
    #[error(
        "{platform} publishes to everybody, and {kind} is not publishable by the table of kinds: its grades may be shared \
         with departments only"
    )]
    NotPublishable { platform: String, kind: String },
    /// The platform has no package of grades.
    #[error("{platform} receives no grades: its file has no [grades]")]
    NoGrades { platform: String },
    /// Records cannot be rendered by the fields of the platform.
    #[error("{0}")]
    Records(Box<UnfitRecords>),
    /// The run is not the round in force.
    #[error("the run {run} is {state}: only the round in force is exported")]
    NotInForce { run: String, state: String },
    /// The mapping of the platform does not cover the scheme of the run.
    #[error("{0}")]
    NotCovered(Box<NotCovered>),
    /// The round could not be read.
    #[error("the round could not be read")]
    Grading(#[source] GradingError),
    /// The package could not be serialized.
    #[error("the package could not be made: {0}")]
    Form(String),
    /// The signing key failed.
    #[error("the answer-signing key failed")]
    Key(#[source] SuiteError),
    /// The ledger entry could not be made.
    #[error("the ledger entry of the export could not be made")]
    Ledger(#[source] LedgerError),
    #[error("the store failed while {step}")]
    Store {
        /// The step during which it failed.
        step: &'static str,
        /// The error of the store.
        #[source]
        source: DbError,
    },
}

/// A run whose scheme the platform's mapping does not cover.
#[derive(Debug, thiserror::Error)]
#[error(
    "the run {run} is of {scheme}, which the mapping {mapping} of {platform} does not cover: {why}. Put a table from {scheme} \
     for {mapping} into [grading] mappings_directory (`medcredit model check FILE` checks it), or take the mapping out of the \
     platform's file"
)]
pub struct NotCovered {
    pub run: String,
    pub scheme: SchemeRef,
    pub platform: String,
    /// The mapping that its file names.
    pub mapping: String,
    /// What is missing.
    pub why: String,
}

/// Records that do not fit the fields of a platform.
#[derive(Debug)]
pub struct UnfitRecords {
    pub run: String,
    /// The number of records.
    pub count: usize,
    /// The first of the errors.
    pub first: Vec<RenderError>,
}

impl fmt::Display for UnfitRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, count, first } = self;
        let what = "cannot be sent, and so nothing is; correct them, or the fields of the platform:";
        write!(f, "{count} records of the run {run} {what}")?;
        for error in first {
            write!(f, "\n{error}")?;
        }
        match count.saturating_sub(first.len()) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for UnfitRecords {}
