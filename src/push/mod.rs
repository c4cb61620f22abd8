//! Grades on their way to platforms: packages of a round for a receiver.
//!
//! What holds here: only the round in force leaves, of the kinds a receiver may have, and to one that publishes of
//! publishable kinds only; of natural persons nothing but what its table says; nobody with an open objection. A package
//! says what it is by digests, is signed, and is an entry of the ledger before its first byte is written. Whoever has it
//! and the public keys can verify it. Not known here: how a package travels.

mod data;
mod detached;
mod manifest;
mod package;
mod receiver;
mod verify;

pub use detached::Detached;
pub use manifest::{FileOf, LeftOut, Manifest, MappedBy, mapping_digest, sha256};
pub use package::{Exported, Exporter, Package};
pub use receiver::{Audience, BUILT_IN, Format, Natural, Receiver, receivers};
pub use verify::PackageFault;

use crate::{grading::GradingError, identity::SuiteError, ledger::LedgerError, scoring::SchemeRef, store::DbError};

/// The manifest's file.
pub const MANIFEST: &str = "manifest.json";
/// The signature's file.
pub const SIGNATURE: &str = "manifest.jws";

/// Why a package could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The receiver may not have this kind of subject.
    #[error("{receiver} may not have grades of {kind}: its table names {allowed}")]
    NotForReceiver {
        /// The receiver.
        receiver: String,
        /// The kind.
        kind: String,
        /// What it may have.
        allowed: String,
    },
    /// The receiver publishes what it is given, and this kind is not published.
    #[error(
        "{receiver} has the public for audience, and {kind} is not publishable by the table of kinds: its grades may be shared \
         with departments only"
    )]
    NotPublishable {
        /// The receiver.
        receiver: String,
        /// The kind.
        kind: String,
    },
    /// Only the round in force leaves.
    #[error("the run {run} is {state}: only the round in force is exported")]
    NotInForce {
        /// The run.
        run: String,
        /// Its state.
        state: String,
    },
    /// The receiver's mapping does not cover the scheme of the run.
    #[error("{0}")]
    NotCovered(Box<NotCovered>),
    /// The round could not be read.
    #[error("the round could not be read")]
    Grading(#[source] GradingError),
    /// The package could not be written out.
    #[error("the package could not be made: {0}")]
    Form(String),
    /// The key did not sign.
    #[error("the answer-signing key failed")]
    Key(#[source] SuiteError),
    /// The ledger's entry could not be made.
    #[error("the ledger's entry of the export could not be made")]
    Ledger(#[source] LedgerError),
    /// The store failed.
    #[error("the store failed while {step}")]
    Store {
        /// What was being done.
        step: &'static str,
        /// How.
        #[source]
        source: DbError,
    },
}

/// A run whose scheme the receiver's mapping does not cover.
#[derive(Debug, thiserror::Error)]
#[error(
    "the run {run} is of {scheme}, which the mapping {mapping} of {receiver} does not cover: {why}. Lay a table from {scheme} \
     for {mapping} into [grading] mappings_directory (`medcredit model check FILE` checks it), or take the mapping out of the \
     receiver's entry"
)]
pub struct NotCovered {
    /// The run.
    pub run: String,
    /// Its scheme.
    pub scheme: SchemeRef,
    /// The receiver.
    pub receiver: String,
    /// The mapping that its entry names.
    pub mapping: String,
    /// What is lacking.
    pub why: String,
}
