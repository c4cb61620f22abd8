//! Packages: signed files with the grades of a round, for receivers such as public credit platforms.
//!
//! - Only the round in force is exported, only of kinds that the receiver may have, and only publishable kinds to a
//!   receiver that publishes. Natural persons are included only as the table of receivers allows, and subjects with an open
//!   objection never (I4).
//! - The manifest of a package has the digests of its files and is signed. The export is recorded in the ledger before the
//!   first byte is written (I1). Anybody with the public keys can verify a package.
//!
//! The room does not know how a package is transported.

mod data;
mod detached;
mod manifest;
mod package;
mod receiver;
mod verify;

pub use detached::Detached;
pub use manifest::{DataFile, LeftOut, Manifest, MappedBy, mapping_digest, sha256};
pub use package::{Exported, Exporter, Package};
pub use receiver::{Audience, BUILT_IN, Format, Natural, Receiver, receivers};
pub use verify::PackageFault;

use crate::{grading::GradingError, identity::SuiteError, ledger::LedgerError, scoring::SchemeRef, store::DbError};

/// The file name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// The file name of the signature.
pub const SIGNATURE: &str = "manifest.jws";

/// Why a package could not be made or recorded.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The receiver may not have this kind of subject.
    #[error("{receiver} may not have grades of {kind}: its table names {allowed}")]
    NotForReceiver {
        receiver: String,
        kind: String,
        /// The kinds that it may have.
        allowed: String,
    },
    /// The receiver publishes what it receives, and this kind must not be published.
    #[error(
        "{receiver} publishes to everybody, and {kind} is not publishable by the table of kinds: its grades may be shared \
         with departments only"
    )]
    NotPublishable { receiver: String, kind: String },
    /// The run is not the round in force.
    #[error("the run {run} is {state}: only the round in force is exported")]
    NotInForce { run: String, state: String },
    /// The mapping of the receiver does not cover the scheme of the run.
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

/// A run whose scheme the receiver's mapping does not cover.
#[derive(Debug, thiserror::Error)]
#[error(
    "the run {run} is of {scheme}, which the mapping {mapping} of {receiver} does not cover: {why}. Put a table from {scheme} \
     for {mapping} into [grading] mappings_directory (`medcredit model check FILE` checks it), or take the mapping out of the \
     receiver's entry"
)]
pub struct NotCovered {
    pub run: String,
    pub scheme: SchemeRef,
    pub receiver: String,
    /// The mapping that its entry names.
    pub mapping: String,
    /// What is missing.
    pub why: String,
}
