//! The append-only record of everything that left and everything that was decided about it.
//!
//! Invariants (design: I1, I2, I7): an answer is released only after its entry is durable, and only by way of a
//! [`Disclosed`], which nothing but a committed append makes; an append is refused when what the answer rests on has
//! moved; entries, leaves, tiles and checkpoints are only ever added. A sealer puts committed entries into a Merkle tree
//! and signs its checkpoints; [`verify`] builds everything again from nothing and says what does not fit.
//!
//! It must not know why a consent may be used or what an answer says: it is told ids, versions and bytes.
//! Formats: docs/LEDGER.md.

mod append;
mod audit;
mod batch;
mod body;
mod budget;
mod checkpoint_file;
mod delivery;
mod entry;
mod facts;
mod faults;
mod keys;
mod leaf_cache;
mod proof;
mod receipt;
mod recorder;
mod sealer;
mod tiles;
pub mod verify;

pub use append::{append, erase};
pub use audit::{Action, Change, audit};
pub use body::AnswerBody;
pub use budget::{Budget, BudgetUse};
pub use checkpoint_file::{CheckpointFile, CheckpointFileError};
pub use delivery::{Closing, DeliveryBody, DeliveryRecorder, Lines};
pub use entry::{Entry, EntryFault, EntryType, Opening, ReadEntry, commitment};
pub use facts::{ApprovalFacts, ConsentFacts, DeliveryFacts, DisclosureFacts, ErasureFacts, ErasureGround};
pub use faults::{Faults, Step};
pub use keys::{FixedKeys, LogKey, LogKeys, log_keys};
pub use leaf_cache::LeafCache;
pub use proof::{Found, Proof, ProofFault, check_proof, checkpoint, consistency, prove};
pub use receipt::{RECEIPT_HEADER, Receipt};
pub use recorder::{Answer, Disclosed, Draft, ReadVersions, RecordError, Recorder, RecorderOptions};
pub use sealer::{SealError, Sealer, SealerOptions};
pub use tiles::{entry_bundle, published_tile};

use crate::{
    domain::{Failure, Malformed, error_chain},
    merkle::NoteError,
    store::DbError,
};

/// What can go wrong with the ledger outside recording and sealing.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A value cannot stand in an entry.
    #[error("the entry cannot be made: {0}")]
    Entry(#[source] Malformed),
    /// The store failed.
    #[error("the ledger's tables")]
    Store(#[source] DbError),
    /// What is stored contradicts itself: somebody changed it.
    #[error("the ledger has been tampered with: {0}")]
    Tampered(String),
    /// A checkpoint is not one, or nobody known signed it.
    #[error("the checkpoint of size {size}")]
    Checkpoint {
        /// The size it is stored under.
        size: i64,
        /// What is wrong with it.
        #[source]
        source: NoteError,
    },
}

impl From<Malformed> for LedgerError {
    fn from(error: Malformed) -> Self {
        Self::Entry(error)
    }
}

impl From<DbError> for LedgerError {
    fn from(error: DbError) -> Self {
        Self::Store(error)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => error.into(),
            other => Self::internal(error_chain(&other)),
        }
    }
}
