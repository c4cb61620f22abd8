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
pub mod delivery;
mod detached;
mod exchange_message;
mod grades;
pub mod making;
mod manifest;
mod package;
pub mod platform;
mod unfit;
mod verify;

pub use detached::Detached;
pub use manifest::{DataFile, LeftOut, Manifest, MappedBy, mapping_digest, sha256};
pub use package::{Exported, Exporter, Package};
pub use verify::PackageFault;

use std::fmt;

use platform::RenderError;

use crate::{
    domain::{Failure, error_chain},
    grading::GradingError,
    identity::SuiteError,
    ledger::LedgerError,
    scoring::SchemeRef,
    store::DbError,
};

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
    /// The platform has no package of counts.
    #[error("{platform} receives no counts of use: its file has no [usage]")]
    NoUsage { platform: String },
    /// Records cannot be rendered by the fields of the platform.
    #[error("{0}")]
    Records(Box<UnfitRecords>),
    /// The run is not the round in force.
    #[error("the run {run} is {state}: only the round in force is exported")]
    NotInForce { run: String, state: String },
    /// Packages are not delivered to the platform.
    #[error("{platform} gets no packages: [push] deliver_to names {}", if .active.is_empty() { "none" } else { .active })]
    NotActive {
        platform: String,
        /// The platforms that get packages.
        active: String,
    },
    /// The carrier of a platform failed.
    #[error("{platform}: {failed}")]
    Carrier {
        platform: String,
        #[source]
        failed: carrier::Failed,
    },
    /// A reason is missing or too long.
    #[error("a reason has 1 to {longest} characters, on one line, without characters that cannot be seen")]
    Reason { longest: usize },
    /// The events could not be read or marked.
    #[error("the outbox failed: {}", .0.public)]
    Outbox(Failure),
    /// Another process makes packages.
    #[error("another process is making packages: try again when it has finished")]
    Busy,
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

impl From<PushError> for Failure {
    fn from(error: PushError) -> Self {
        match error {
            PushError::NotActive { .. } => Self::not_found("platform_not_found", error.to_string()),
            PushError::Store { source, .. } => source.into(),
            PushError::Ledger(error) => error.into(),
            other => Self::internal(error_chain(&other)),
        }
    }
}

impl PushError {
    /// Adds the step to an error of the store.
    fn store(step: &'static str) -> impl Fn(DbError) -> Self {
        move |source| Self::Store { step, source }
    }
}
