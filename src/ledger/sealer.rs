//! Sealing: committed entries become leaves, and a signed checkpoint covers them.
//!
//! One transaction adds leaves, full tiles and a checkpoint and removes the entries from the queue. The leaves' primary key
//! fences sealers: of two that extend the same tree one fails on it and starts another round. Recovery after a crash is the
//! ordinary path: every round begins with the state of the tables and of the checkpoint file.

mod error;
mod rows;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::Mutex;

pub use error::SealError;
use rows::{Rows, gauge_value, table_number, tile_columns};

use super::{
    checkpoint_file::CheckpointFile,
    error::LedgerError,
    faults::{Faults, Step},
    history::History,
    keys::{LogKeys, log_keys, open_checkpoint, sign_checkpoint},
    leaf_cache::{LeafCache, QueuePosition},
    proof, tiles,
};
use crate::{
    domain::{ClockTrust, Timestamp, clock::SharedClock, error_chain},
    merkle::{self, Checkpoint, Edge, Hash, TreeHead},
    store::{
        Db, DbError, Engine,
        ledger::{epochs, seal as table, servers},
    },
};

/// How often another process may win the compare-and-swap of the checkpoint file before the next round tries again.
const SWAPS: u32 = 8;
/// The pause between two sealing transactions: answers have priority, and a checkpoint costs the same for many leaves as for
/// few. SQLite has one writer for both. PostgreSQL works on both concurrently, and shorter sealing transactions disturb
/// answers less.
const fn pause(engine: Engine) -> Duration {
    match engine {
        Engine::Sqlite => Duration::from_millis(20),
        Engine::Postgres => Duration::from_millis(10),
    }
}

/// The settings of a sealer.
#[derive(Debug, Clone)]
pub struct SealerOptions {
    /// The log's origin: `<host>/ledger/<epoch>`.
    pub origin: String,
    /// The file that also holds the newest checkpoint.
    pub checkpoint_file: Option<PathBuf>,
    /// How often [`Sealer::run`] checks the queue.
    pub interval: Duration,
    /// The most entries in one transaction, for which answers have to wait.
    pub round: i64,
    /// The leaves that the recorder of the same process has committed.
    pub leaf_cache: LeafCache,
    /// Whether the history is current: otherwise nothing is sealed.
    pub history: History,
    /// Whether the clock may be relied on: otherwise nothing is sealed.
    pub clock_trust: ClockTrust,
    /// Where a test makes it fail.
    pub faults: Faults,
}

/// Seals one log.
#[derive(Debug)]
pub struct Sealer {
    db: Db,
    clock: SharedClock,
    keys: Arc<dyn LogKeys>,
    checkpoint_file: Option<CheckpointFile>,
    options: SealerOptions,
    state: Mutex<State>,
    problem: RwLock<Option<String>>,
}

/// What a round keeps for the next. Only a shortcut: after an error the next round starts from the tables.
#[derive(Debug, Default)]
struct State {
    edge: Option<Edge>,
    /// The largest tree this process has seen.
    seen: u64,
    /// The note in the checkpoint file, where this process wrote or read it.
    file_note: Option<String>,
    /// The newest checkpoint this process signed and stored.
    signed: Option<Signed>,
    /// The position in the queue.
    position: QueuePosition,
}

/// A signed checkpoint with its note.
#[derive(Debug, Clone)]
struct Signed {
    size: u64,
    root: Hash,
    note: String,
}

/// The result of a round: the new checkpoint and the right edge of its tree.
struct Sealed {
    signed: Signed,
    edge: Edge,
}

impl Sealer {
    /// A sealer of the log in `db`.
    pub fn new(db: Db, clock: SharedClock, keys: Arc<dyn LogKeys>, options: SealerOptions) -> Self {
        let checkpoint_file = options.checkpoint_file.clone().map(CheckpointFile::new);
        Self { db, clock, keys, checkpoint_file, options, state: Mutex::default(), problem: RwLock::default() }
    }

    /// Seals at every interval until `shutdown` is ready, and then one last time.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) {
        let mut interval = tokio::time::interval(self.options.interval.max(Duration::from_millis(1)));
        // After a stall, ticks are not made up for: rounds in quick succession would compete with the answers that
        // waited, too.
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        let mut last = false;
        loop {
            tokio::select! {
                // Not polled again once it was ready. One more round follows, so that as little as possible waits for
                // the next start.
                () = &mut shutdown, if !last => last = true,
                _ = interval.tick() => {}
            }
            self.drain().await;
            self.publish_backlog().await;
            if last {
                return;
            }
        }
    }

    /// Why the last round of [`Sealer::run`] failed, if it did: until sealing works again, the promises of receipts may be
    /// broken.
    pub fn problem(&self) -> Option<String> {
        // The value is replaced in one assignment, so also a poisoned lock holds a valid one; and a panic elsewhere
        // must not hide the problem from the health check.
        self.problem.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_problem(&self, problem: Option<String>) {
        *self.problem.write().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Seals until the queue is empty.
    async fn drain(&self) {
        loop {
            let sealed = self.next(&mut *self.state.lock().await).await;
            match sealed {
                // Outside of the state's lock, so that `seal_once` need not wait for the pause.
                Ok(Some(_)) => tokio::time::sleep(pause(self.db.engine())).await,
                Ok(None) => return self.set_problem(None),
                Err(error) => {
                    metrics::counter!("medcredit_ledger_seal_failures_total").increment(1);
                    let why = error_chain(&error);
                    tracing::error!(error = %why, "the ledger was not sealed");
                    return self.set_problem(Some(why));
                }
            }
        }
    }

    async fn publish_backlog(&self) {
        // A failure is ignored: it is only a gauge, and a database that is down shows in the round itself.
        if let Ok(backlog) = table::backlog(&self.db).await {
            let oldest =
                backlog.oldest_at.map_or(Duration::ZERO, |at| self.clock.now().since(Timestamp::from_micros(at)));
            #[expect(clippy::cast_precision_loss, reason = "a backlog of 2^53 entries is not reached")]
            metrics::gauge!("medcredit_ledger_unsealed").set(backlog.waiting as f64);
            metrics::gauge!("medcredit_ledger_unsealed_oldest_seconds").set(oldest.as_secs_f64());
        }
    }

    /// Seals up to one round of the queue. `None` when the queue is empty, or when another sealer was first.
    pub async fn seal_once(&self) -> Result<Option<Checkpoint>, SealError> {
        let mut state = self.state.lock().await;
        // From the beginning of the queue: the caller expects every committed entry to be considered.
        state.position = QueuePosition::default();
        self.next(&mut state).await
    }

    /// Seals one round, continuing at the last round's position in the queue.
    async fn next(&self, state: &mut State) -> Result<Option<Checkpoint>, SealError> {
        let sealed = self.round(state).await;
        if !matches!(sealed, Ok(Some(_))) {
            // The kept state may be wrong: the next round reads everything again. `seen` remains valid.
            (state.edge, state.position) = (None, QueuePosition::default());
        }
        if sealed.is_err() {
            // Read again: after a failed replacement it is unknown which of the two notes the file holds.
            state.file_note = None;
        }
        sealed
    }

    async fn round(&self, state: &mut State) -> Result<Option<Checkpoint>, SealError> {
        self.options.faults.at(Step::SealRead).await?;
        // A missing checkpoint file is not written again either: only an operator accepts what is in the database.
        let _in_progress = self.options.history.begin().await.map_err(SealError::History)?;
        if self.options.history.is_outdated() {
            return Err(SealError::Outdated);
        }
        self.options.clock_trust.check(&*self.clock).map_err(SealError::Clock)?;
        let latest = self.latest(state.signed.as_ref()).await?;
        // Checked before the checkpoint file is touched: a tree that contradicts its checkpoint must not get into it.
        let edge = self.current_edge(state, latest.as_ref()).await?;
        let grown_from = latest.as_ref().map(|latest| latest.note.clone());
        if let Some(latest) = latest {
            // After a crash between the commit and the file this updates the file; and a ledger with fewer leaves than the
            // file covers is never extended.
            self.update_checkpoint_file(state, latest, None).await?;
        } else {
            self.refuse_empty().await?;
        }
        let cache = &self.options.leaf_cache;
        let waiting = cache.waiting(&self.db, &mut state.position, self.clock.now(), self.options.round).await?;
        self.options.faults.at(Step::SealSign).await?;
        let Some(Sealed { signed: sealed, edge }) = self.seal(edge, waiting).await? else { return Ok(None) };
        // Before the file is written: the tree has grown even if that fails.
        state.seen = sealed.size;
        self.options.history.saw(sealed.size, sealed.root, sealed.note.clone());
        state.signed = Some(sealed.clone());
        state.edge = Some(edge);
        self.options.faults.at(Step::SealCommitted).await?;
        let checkpoint = Checkpoint { origin: self.options.origin.clone(), size: sealed.size, root: sealed.root };
        // A crash here leaves the file one checkpoint behind until the next round.
        self.update_checkpoint_file(state, sealed, grown_from).await?;
        Ok(Some(checkpoint))
    }

    /// The newest checkpoint. Its signature is verified unless this process has just `signed` it.
    async fn latest(&self, signed: Option<&Signed>) -> Result<Option<Signed>, SealError> {
        let Some(row) = table::latest_checkpoint(&self.db).await? else { return Ok(None) };
        // All three members: a row of the same size with another root is not the one this process signed.
        if let Some(signed) = signed
            && u64::try_from(row.tree_size) == Ok(signed.size)
            && row.root == signed.root
            && row.note == signed.note
        {
            return Ok(Some(signed.clone()));
        }
        let checkpoint = open_checkpoint(&row.note, &self.options.origin, &log_keys(&self.keys.verification_keys()))
            .map_err(|source| LedgerError::Checkpoint { size: row.tree_size, source })?;
        if u64::try_from(row.tree_size) != Ok(checkpoint.size) || row.root != checkpoint.root {
            return Err(LedgerError::Tampered(format!("the checkpoint of size {}", row.tree_size)).into());
        }
        Ok(Some(Signed { size: checkpoint.size, root: checkpoint.root, note: row.note }))
    }

    /// The right edge of the tree that the newest checkpoint covers.
    async fn current_edge(&self, state: &mut State, latest: Option<&Signed>) -> Result<Edge, SealError> {
        let (size, root) = latest.map_or((0, merkle::empty_root()), |latest| (latest.size, latest.root));
        // A tree never shrinks: an older copy of the database was put in place under a running process (I7).
        if size < state.seen {
            return Err(SealError::CutOff { have: size, had: state.seen });
        }
        state.seen = size;
        let edge = match state.edge.take() {
            Some(edge) if edge.size() == size => edge,
            _ => tiles::edge(&self.db, size).await?,
        };
        if edge.root() != root {
            return Err(LedgerError::Tampered(format!("the tiles of the tree of size {size}")).into());
        }
        Ok(edge)
    }

    /// Extends the tree and signs it, in one transaction. `None` when there is nothing to seal or another sealer was first.
    async fn seal(&self, mut edge: Edge, waiting: Vec<(String, Hash)>) -> Result<Option<Sealed>, SealError> {
        let first = edge.size();
        let (mut ids, mut full) = (Vec::new(), Vec::new());
        for (id, leaf) in waiting {
            ids.push(id);
            full.extend(edge.push(leaf));
        }
        if ids.is_empty() {
            return Ok(None);
        }
        let checkpoint = Checkpoint { origin: self.options.origin.clone(), size: edge.size(), root: edge.root() };
        // Signed before it is stored: when the transaction fails, the signature is discarded unpublished.
        let note = sign_checkpoint(&checkpoint, &*self.keys, self.clock.now()).map_err(SealError::Sign)?;
        let note = note.ok_or(SealError::NoKey)?;
        let signed = Signed { size: checkpoint.size, root: checkpoint.root, note };
        let rows = Rows { first, full, ids };
        match self.write(&signed, &rows).await {
            Ok(()) => {
                self.options.leaf_cache.remove(&rows.ids);
                metrics::gauge!("medcredit_ledger_tree_size").set(gauge_value(signed.size));
                metrics::counter!("medcredit_ledger_sealed_total").increment(signed.size - first);
                Ok(Some(Sealed { signed, edge }))
            }
            // Another sealer extended the same tree first: its leaves are stored and ours are rolled back.
            Err(error) if error.is_constraint() || error.is_contention() => Ok(None),
            // Failed, or the outcome is unknown: the next round reads the tables.
            Err(error) => Err(error.into()),
        }
    }

    async fn write(&self, signed: &Signed, rows: &Rows) -> Result<(), DbError> {
        self.options.faults.at(Step::SealInsert).await?;
        let mut tx = self.db.begin("ledger.seal").await?;
        let ours = self.options.history.epoch();
        let is_ours = |epoch: i64| ours.is_none_or(|ours| ours == epoch);
        // A recovery has begun another epoch, or the database is on another server: the next poll finds out.
        if !epochs::current_in(&mut tx).await?.is_none_or(is_ours) || !servers::is_agreed_in(&mut tx).await? {
            return Err(DbError::Contention { operation: "ledger.seal" });
        }
        let count = u64::try_from(rows.ids.len()).unwrap_or(u64::MAX);
        // First: a second sealer fails on the leaves' primary key before it writes anything else.
        table::insert_leaves(&mut tx, table_number(rows.first), rows.ids.clone()).await?;
        if !rows.full.is_empty() {
            table::insert_tiles(&mut tx, tile_columns(&rows.full)).await?;
        }
        let row = table::CheckpointRow {
            tree_size: table_number(signed.size),
            root: signed.root.to_vec(),
            note: signed.note.clone(),
        };
        table::insert_checkpoint(&mut tx, row, self.clock.now()).await?;
        // Fewer were in the queue than are being sealed: another sealer took some, and an entry must not be sealed
        // twice. Dropping the transaction undoes the leaves.
        if table::delete_unsealed(&mut tx, rows.ids.clone()).await? != count {
            return Err(DbError::Contention { operation: "ledger.seal" });
        }
        // A crash before the commit is acknowledged leaves everything or nothing.
        self.options.faults.at(Step::SealCommit).await?;
        tx.commit().await
    }

    /// A database without a checkpoint is a new one only when the checkpoint file covers no leaves either.
    async fn refuse_empty(&self) -> Result<(), SealError> {
        let Some(file) = &self.checkpoint_file else { return Ok(()) };
        match file.read().await? {
            None => Ok(()),
            Some(note) => match self.open_file_note(file, &note)?.size {
                0 => Ok(()),
                had => Err(SealError::CutOff { have: 0, had }),
            },
        }
    }

    fn open_file_note(&self, file: &CheckpointFile, note: &str) -> Result<Checkpoint, SealError> {
        open_checkpoint(note, &self.options.origin, &log_keys(&self.keys.verification_keys()))
            .map_err(|source| SealError::ForeignCheckpointFile { path: file.path().to_owned(), source })
    }

    /// Writes the newest checkpoint to the file, after checking that its tree extends the tree of the file's checkpoint. The
    /// checkpoint `grown_from` needs no check: the tree was just grown from it, after its root was compared.
    async fn update_checkpoint_file(
        &self,
        state: &mut State,
        mut latest: Signed,
        grown_from: Option<String>,
    ) -> Result<(), SealError> {
        let Some(file) = &self.checkpoint_file else { return Ok(()) };
        // Each turn that loses the swap reads the file again. Bounded: the tables have the checkpoint already, so a
        // file that is behind until the next round is better than a sealer that spins.
        for _ in 0..SWAPS {
            if state.file_note.as_ref() == Some(&latest.note) {
                break;
            }
            let held = file.read().await?;
            if let Some(note) = held.as_ref().filter(|held| grown_from.as_ref() != Some(*held)) {
                let held = self.open_file_note(file, note)?;
                if held.size > latest.size {
                    // Another gateway of this machine may have sealed more meanwhile: then the tables have it too.
                    latest = self
                        .latest(None)
                        .await?
                        .filter(|now| now.size >= held.size)
                        .ok_or(SealError::CutOff { have: latest.size, had: held.size })?;
                }
                // Also for a file of the same size: equal sizes may have different roots (I7).
                self.check_extends(&held, &latest).await?;
            }
            if held.as_ref() == Some(&latest.note)
                || file.replace(held.as_deref(), &latest.note, &self.options.faults).await?
            {
                state.file_note = Some(latest.note.clone());
            }
        }
        Ok(())
    }

    async fn check_extends(&self, held: &Checkpoint, latest: &Signed) -> Result<(), SealError> {
        let path = proof::consistency(&self.db, held.size, latest.size).await?;
        merkle::verify_consistency(held.head(), TreeHead { size: latest.size, root: latest.root }, &path)
            .map_err(|_| SealError::Rewritten { size: held.size })
    }
}
