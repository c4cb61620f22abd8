//! Whether the database's ledger is the newest that is known outside the database (I9, docs/RECOVERY.md).
//!
//! [`HistoryMonitor`] compares them, at start and at each poll; [`History`] holds the result, and every data request, the
//! recorder, the sealer and readiness look at it. A database that is behind discloses nothing.

mod monitor;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

pub use monitor::{AcceptError, Accepted, HistoryMonitor, Sighting};

use crate::{
    domain::Failure,
    merkle::{Hash, TreeHead},
};

/// The ledger in the database, compared with the newest checkpoint known outside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub enum HistoryState {
    /// It is that of the newest checkpoint, or continues it.
    #[default]
    #[error("the ledger continues the newest checkpoint known outside the database")]
    Current,
    /// It ends before the newest checkpoint.
    #[error(
        "the ledger in the database ends after {store} leaves, and a checkpoint of {known} leaves is known outside it: an older \
         database was put in place. Proceed as docs/RECOVERY.md describes"
    )]
    Behind {
        /// Leaves in the database.
        store: u64,
        /// Leaves that the checkpoint covers.
        known: u64,
    },
    /// It is another history.
    #[error(
        "the ledger of {store} leaves in the database does not continue the checkpoint of {known} leaves that is known outside \
         it: there are two histories. Proceed as docs/RECOVERY.md describes"
    )]
    Forked {
        /// Leaves in the database.
        store: u64,
        /// Leaves that the checkpoint covers.
        known: u64,
    },
    /// There is nothing to compare it with.
    #[error(
        "the checkpoint file {} is missing, although the database has checkpoints: entries cut off at the end cannot be detected. \
         Put the file back, or accept the database as it is with `medcredit ledger accept-checkpoint`",
        path.display()
    )]
    Missing {
        /// The configured file.
        path: PathBuf,
    },
    /// The checkpoint file or the newest checkpoint of the database cannot be read or verified.
    #[error("{0}")]
    Unverifiable(String),
}

impl HistoryState {
    /// Whether there are two checkpoints that could be compared. A gateway does not start otherwise.
    pub const fn is_known(&self) -> bool {
        matches!(self, Self::Current | Self::Behind { .. } | Self::Forked { .. })
    }
}

/// The newest checkpoint that this process has found in order.
#[derive(Debug, Clone)]
struct Seen {
    head: TreeHead,
    /// Its signed note; empty for the tree without leaves.
    note: String,
}

#[derive(Debug, Default)]
struct Inner {
    state: ArcSwap<HistoryState>,
    /// Not locked by requests.
    seen: Mutex<Option<Seen>>,
}

/// The present state of the history. Cheap to clone; clones share it. One that no monitor sets is current.
#[derive(Debug, Clone, Default)]
pub struct History(Arc<Inner>);

impl History {
    /// The state, as last compared.
    pub fn state(&self) -> Arc<HistoryState> {
        self.0.state.load_full()
    }

    /// Refuses with `history_behind` unless the history is current. It waits for nothing: every data request calls it.
    pub fn require_current(&self) -> Result<(), Failure> {
        match &**self.0.state.load() {
            HistoryState::Current => Ok(()),
            other => Err(Failure::unavailable("history_behind", other.to_string())),
        }
    }

    fn set(&self, state: HistoryState) {
        if *self.state() == state {
            return;
        }
        match &state {
            HistoryState::Current => tracing::info!("the ledger is current again: data requests are answered"),
            other => tracing::error!(reason = %other, "the ledger is not current: data requests are refused"),
        }
        self.0.state.store(Arc::new(state));
    }

    fn seen(&self) -> Option<Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a checkpoint whose tree continues what this process has seen.
    pub(super) fn saw(&self, size: u64, root: Hash, note: String) {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.as_ref().is_none_or(|seen| seen.head.size <= size) {
            *seen = Some(Seen { head: TreeHead { size, root }, note });
        }
    }
}
