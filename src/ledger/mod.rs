//! The append-only record of every disclosure and of every decision about disclosures.
//!
//! Invariants (I1, I2, I7): an answer is released only after its entry is durable, and only as a [`Disclosed`], which only
//! a committed append makes; an append is refused when a version that the answer rests on has changed; entries, leaves,
//! tiles and checkpoints are only ever added. A sealer puts committed entries into a Merkle tree and signs its
//! checkpoints; [`verify`] recomputes everything and reports what does not match.
//!
//! This room does not know why a consent may be used or what an answer contains: it takes ids, versions and bytes.
//! Formats: docs/LEDGER.md.

mod answers;
mod append;
mod approval;
mod audit;
mod batch;
mod body;
mod budget;
mod charge;
mod checkpoint_file;
mod delivery;
mod disclosed;
mod entry;
mod error;
mod facts;
mod faults;
mod history;
mod keys;
mod leaf_cache;
mod lookup;
mod proof;
mod receipt;
mod recorder;
mod recording_problem;
mod sealer;
mod tiles;
pub mod verify;
mod waiting;

pub use answers::{AnswerJournal, GivenAnswer, report_lost_answers};
pub use append::{append, erase};
pub use audit::{Action, Change, audit};
pub use body::AnswerBody;
pub use budget::{Budget, BudgetUse};
pub use checkpoint_file::{CheckpointFile, CheckpointFileError};
pub use delivery::{DeliveryBody, DeliveryDraft, DeliveryLines, DeliveryRecorder};
pub use disclosed::{Answer, Disclosed, Draft, ReadVersions, RecordError};
pub use entry::{Entry, EntryFault, EntryType, Opening, ReadEntry, commitment};
pub use error::LedgerError;
pub use facts::{ApprovalFacts, ConsentFacts, DeliveryFacts, DisclosureFacts, ErasureFacts, ErasureGround};
pub use faults::{Faults, Step};
pub use history::{
    AcceptError, Accepted, GatewayName, History, HistoryMonitor, HistoryState, Sighting, current_epoch,
    establish_epoch, journal_beside, raise_epoch,
};
pub use keys::{FixedKeys, LogKey, LogKeys, log_keys, open_checkpoint};
pub use leaf_cache::LeafCache;
pub use lookup::{
    Counted, EntryFilter, FoundEntry, Usage, answers_since, answers_under, consent_of, entries, find_entry,
    last_act_on, usage,
};
pub use proof::{Proof, ProofFault, ProofStatus, check_proof, checkpoint, consistency, prove};
pub use receipt::{RECEIPT_HEADER, Receipt};
pub use recorder::{Recorder, RecorderOptions};
pub use sealer::{SealError, Sealer, SealerOptions};
pub use tiles::{entry_bundle, published_tile};
