//! Whether the database's ledger is the newest that is known outside the database (I9, docs/RECOVERY.md).
//!
//! [`HistoryMonitor`] compares them, at start and at each poll; [`History`] holds the result, and every data request, the
//! recorder, the sealer and readiness look at it. A database that is behind discloses nothing. Between two polls each append
//! compares what this process knows, so that a failover is noticed by the first answer after it.

mod accept;
mod agreement;
mod ends;
mod epoch;
mod gateway_name;
mod monitor;
mod sighting;

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

pub use accept::{AcceptError, Accepted};
pub use ends::journal_beside;
pub use epoch::{current_epoch, establish_epoch, raise_epoch};
pub use gateway_name::GatewayName;
pub use monitor::HistoryMonitor;
pub use sighting::Sighting;
use tokio::{
    sync::{Notify, RwLock, RwLockReadGuard},
    time::Instant,
};

use crate::{
    domain::Failure,
    merkle::{Hash, TreeHead},
    store::ledger::append::KnownLedger,
};

/// How many committed entries a process remembers: as many as it commits concurrently, which are two batches and as many
/// deliveries (`delivery.rs`). With fewer, the one that a failover lost could be the one not remembered.
const REMEMBERED: usize = 4;

/// For how long nothing may have been compared until nothing is sealed any more.
const COMPARED_WITHIN: Duration = Duration::from_secs(2);

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
    /// Its epoch is not the one that this process was started in.
    #[error(
        "the ledger in the database is of epoch {store}, and this process was started in epoch {ours}: the history was recovered. \
         Start the process again"
    )]
    EpochMoved {
        /// The epoch in the database.
        store: i64,
        /// The epoch of this process.
        ours: i64,
    },
    /// It lacks ends of access that the journal outside has.
    #[error(
        "the database lacks {lacking} end(s) of access that the journal {} has: an older database was put in place. Proceed \
         as docs/RECOVERY.md describes",
        journal.display()
    )]
    EndsMissing {
        /// How many ends it lacks.
        lacking: usize,
        /// The journal.
        journal: PathBuf,
    },
    /// It lacks an entry that this process saw committed.
    #[error(
        "the database lacks the entry {0}, which was committed: an older database was put in place. Proceed as \
         docs/RECOVERY.md describes"
    )]
    EntryMissing(String),
    /// It is on another server, and gateways that may know more than this one have not compared it yet.
    #[error(
        "the database is on another server since a failover or a restore, and has not been compared yet by {}. Start the \
         gateways that do not run; where one is lost with its files, proceed as docs/RECOVERY.md describes",
        waiting.join(" and ")
    )]
    Unagreed {
        /// The gateways that are waited for.
        waiting: Vec<String>,
    },
    /// Another gateway knows more.
    #[error("the gateway {gateway} has found: {finding}")]
    Disputed {
        /// Its name.
        gateway: String,
        /// What it has found.
        finding: String,
    },
    /// An append has found that it is of another epoch, on another server or lacks a committed entry; the next poll finds out
    /// which.
    #[error(
        "the ledger in the database is not the one that this process recorded in: see the log, then docs/RECOVERY.md"
    )]
    Overtaken,
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
        !matches!(self, Self::Missing { .. } | Self::Unverifiable(_))
    }

    /// Whether the database lacks something that is known outside it.
    const fn is_lacking(&self) -> bool {
        matches!(self, Self::Behind { .. } | Self::Forked { .. } | Self::EndsMissing { .. } | Self::EntryMissing(_))
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
    /// The epoch that this process records in; 0 where nothing compares it.
    epoch: AtomicI64,
    /// The last entries that this process saw committed. Locked once for each batch.
    committed: Mutex<VecDeque<String>>,
    /// Notified when the epoch has moved.
    moved: Notify,
    /// Held for reading while something is recorded or sealed.
    in_progress: RwLock<()>,
    /// When the history was last compared.
    compared: Mutex<Option<Instant>>,
    /// Whether that is too long ago to seal.
    outdated: AtomicBool,
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
            // Every failover begins with it, also one that loses nothing.
            HistoryState::Unagreed { .. } => tracing::warn!(reason = %state, "data requests are refused for now"),
            other => tracing::error!(reason = %other, "the ledger is not current: data requests are refused"),
        }
        let moved = matches!(state, HistoryState::EpochMoved { .. });
        self.0.state.store(Arc::new(state));
        if moved {
            self.0.moved.notify_waiters();
        }
    }

    /// Begins to record or to seal. Refused unless the history is current; as long as the guard is held, this process attests
    /// nothing about another server.
    pub(super) async fn begin(&self) -> Result<RwLockReadGuard<'_, ()>, HistoryState> {
        let guard = self.0.in_progress.read().await;
        // After the guard: who sets another state and then takes the lock for writing has seen all that is in progress.
        match &**self.0.state.load() {
            HistoryState::Current => Ok(guard),
            other => Err(other.clone()),
        }
    }

    /// Sets another state than current and waits until nothing is being recorded or sealed. `false` when that takes too long.
    async fn stop(&self, state: HistoryState, limit: Duration) -> bool {
        if matches!(*self.state(), HistoryState::Current | HistoryState::Overtaken) {
            self.set(state);
        }
        tokio::time::timeout(limit, self.0.in_progress.write()).await.is_ok()
    }

    fn compared(&self) {
        *self.0.compared.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.outdated.store(false, Ordering::Relaxed);
    }

    /// A poll failed before the history could be compared. After some time of this nothing is sealed: other gateways count on
    /// a gateway that seals to compare (docs/RECOVERY.md).
    pub fn missed(&self) {
        let compared = *self.0.compared.lock().unwrap_or_else(PoisonError::into_inner);
        if compared.is_none_or(|at| at.elapsed() > COMPARED_WITHIN) {
            self.0.outdated.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the history has not been compared for too long to seal.
    pub(super) fn is_outdated(&self) -> bool {
        self.0.outdated.load(Ordering::Relaxed)
    }

    /// Waits until the epoch has moved: from then on this process can only be started again.
    pub async fn epoch_moved(&self) -> HistoryState {
        loop {
            let moved = self.0.moved.notified();
            tokio::pin!(moved);
            // Registered before the state is read: a change in between is not missed.
            moved.as_mut().enable();
            let state = self.state();
            if matches!(*state, HistoryState::EpochMoved { .. }) {
                return HistoryState::clone(&state);
            }
            moved.await;
        }
    }

    /// Sets the epoch that this process records in.
    fn record_in(&self, epoch: Option<i64>) {
        self.0.epoch.store(epoch.unwrap_or(0), Ordering::Relaxed);
    }

    /// The epoch that this process records in; none where nothing compares it.
    pub(super) fn epoch(&self) -> Option<i64> {
        Some(self.0.epoch.load(Ordering::Relaxed)).filter(|epoch| *epoch > 0)
    }

    /// Remembers an entry whose commit was acknowledged.
    pub(super) fn committed(&self, entry: &str) {
        let mut committed = self.0.committed.lock().unwrap_or_else(PoisonError::into_inner);
        if committed.len() == REMEMBERED {
            committed.pop_front();
        }
        committed.push_back(entry.to_owned());
    }

    /// What the database must have for this process to record in it.
    pub(super) fn known(&self) -> KnownLedger {
        let committed = self.0.committed.lock().unwrap_or_else(PoisonError::into_inner);
        KnownLedger { epoch: self.epoch(), entries: committed.iter().cloned().collect() }
    }

    /// An append was refused because of what [`History::known`] returns.
    pub(super) fn overtaken(&self) {
        // What a poll has found says more.
        if *self.state() == HistoryState::Current {
            self.set(HistoryState::Overtaken);
        }
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
