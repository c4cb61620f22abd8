//! Grades on their way to platforms: packages of a round for a receiver.
//!
//! What holds here: only the round in force leaves, of the kinds a receiver may have; of natural persons nothing but what
//! its table says; nobody with an open objection. A package says what it is by digests, is signed, and is an entry of the
//! ledger before its first byte is written. Not known here: how a package travels.

mod package;
mod receiver;

pub use package::{Exported, Exporter, FileOf, LeftOut, Manifest, Package};
pub use receiver::{BUILT_IN, Format, Natural, Receiver, receivers};

use crate::{grading::GradingError, identity::SuiteError, ledger::LedgerError, store::DbError};

/// Why a package could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The table of receivers cannot be used.
    #[error("{file}: {message}")]
    Receivers {
        /// The file.
        file: String,
        /// What is wrong.
        message: String,
    },
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
    /// Only the round in force leaves.
    #[error("the run {run} is {state}: only the round in force is exported")]
    NotInForce {
        /// The run.
        run: String,
        /// Its state.
        state: String,
    },
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
