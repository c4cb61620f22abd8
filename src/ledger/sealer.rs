//! Sealing: committed entries become leaves, and a signed checkpoint covers them.
//!
//! One transaction adds leaves, full tiles and checkpoint and empties the queue. The leaves' primary key fences sealers:
//! of two that extend the same tree one fails, notices, and yields. Starting again after a crash is the ordinary path:
//! every round begins from what the tables and the file outside say.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    LedgerError,
    faults::{Faults, Step},
    keys::{LogKeys, OriginSigner, log_keys, open_checkpoint},
    outside::{OutsideError, OutsideFile},
    proof, tiles,
};
use crate::{
    domain::clock::SharedClock,
    merkle::{self, Checkpoint, Edge, FullTile, Hash, NoteError},
    store::{Db, DbError, ledger::seal as table},
};

/// How often another process may be first at the file outside before it is left to the next round.
const SWAPS: u32 = 8;
/// Between two such transactions: answers come first.
const PAUSE: Duration = Duration::from_millis(2);

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The tables failed, or contradict themselves.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No key is active.
    #[error("no key for signing checkpoints is active")]
    NoKey,
    /// The checkpoint could not be signed.
    #[error("the checkpoint could not be signed")]
    Sign(#[source] NoteError),
    /// The checkpoint outside could not be read or replaced.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// What the file outside holds is not a checkpoint of this log.
    #[error("the checkpoint file {path} holds none of this log")]
    ForeignOutside {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: NoteError,
    },
    /// The database has less than a checkpoint outside, or than this process has seen.
    #[error("the ledger has {have} leaves but had {had}: its tail was cut off, or an old database was put in place")]
    CutOff {
        /// How many there are.
        have: u64,
        /// How many there were.
        had: u64,
    },
    /// The database's tree does not begin with the one of the checkpoint outside.
    #[error("the ledger's first {size} leaves are not those of the checkpoint outside")]
    Rewritten {
        /// The size of the checkpoint outside.
        size: u64,
    },
}

impl From<DbError> for SealError {
    fn from(error: DbError) -> Self {
        Self::Ledger(error.into())
    }
}

/// How a log is sealed.
#[derive(Debug, Clone)]
pub struct SealerOptions {
    /// Which log: `<host>/ledger/<epoch>`.
    pub origin: String,
    /// Where the newest checkpoint also goes.
    pub outside: Option<PathBuf>,
    /// How often [`Sealer::run`] looks for entries.
    pub interval: Duration,
    /// The most entries in one transaction: answers wait for it.
    pub round: i64,
    /// Where a test breaks it.
    pub faults: Faults,
}

/// Seals one log.
#[derive(Debug)]
pub struct Sealer {
    db: Db,
    clock: SharedClock,
    keys: Arc<dyn LogKeys>,
    outside: Option<OutsideFile>,
    options: SealerOptions,
    state: Mutex<State>,
    problem: RwLock<Option<String>>,
}

/// What a round remembers for the next. Only ever a shortcut: an error forgets it.
#[derive(Debug, Default)]
struct State {
    edge: Option<Edge>,
    /// The largest tree this process has seen.
    seen: u64,
    /// The note that is known to be outside.
    outside: Option<String>,
}

/// The newest checkpoint with its note.
#[derive(Debug, Clone)]
struct Signed {
    size: u64,
    root: Hash,
    note: String,
}

impl Sealer {
    /// A sealer of the log in `db`.
    pub fn new(db: Db, clock: SharedClock, keys: Arc<dyn LogKeys>, options: SealerOptions) -> Self {
        let outside = options.outside.clone().map(OutsideFile::new);
        Self { db, clock, keys, outside, options, state: Mutex::default(), problem: RwLock::default() }
    }

    /// Seals at every interval until `shutdown` is ready, and then once more.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) {
        let mut interval = tokio::time::interval(self.options.interval.max(Duration::from_millis(1)));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        let mut last = false;
        loop {
            tokio::select! {
                () = &mut shutdown, if !last => last = true,
                _ = interval.tick() => {}
            }
            self.drain().await;
            self.report().await;
            if last {
                return;
            }
        }
    }

    /// Why the last round of [`Sealer::run`] sealed nothing, if it failed: while it lasts, receipts promise what may not
    /// come true.
    pub fn problem(&self) -> Option<String> {
        self.problem.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, problem: Option<String>) {
        *self.problem.write().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Seals until nothing waits.
    async fn drain(&self) {
        loop {
            match self.seal_once().await {
                Ok(Some(_)) => tokio::time::sleep(PAUSE).await,
                Ok(None) => return self.remember(None),
                Err(error) => {
                    metrics::counter!("medcredit_ledger_seal_failures_total").increment(1);
                    let mut why = error.to_string();
                    if let Some(cause) = std::error::Error::source(&error) {
                        why = format!("{why}: {cause}");
                    }
                    tracing::error!(error = %why, "the ledger was not sealed");
                    return self.remember(Some(why));
                }
            }
        }
    }

    async fn report(&self) {
        if let Ok(backlog) = table::backlog(&self.db).await {
            let oldest = backlog
                .oldest_at
                .map_or(Duration::ZERO, |at| self.clock.now().since(crate::domain::Timestamp::from_micros(at)));
            #[expect(clippy::cast_precision_loss, reason = "a backlog of 2^53 entries is not reached")]
            metrics::gauge!("medcredit_ledger_unsealed").set(backlog.waiting as f64);
            metrics::gauge!("medcredit_ledger_unsealed_oldest_seconds").set(oldest.as_secs_f64());
        }
    }

    /// Seals what waits, up to a round of it. `None` when nothing does, or when another sealer was first.
    pub async fn seal_once(&self) -> Result<Option<Checkpoint>, SealError> {
        let mut state = self.state.lock().await;
        let sealed = self.round(&mut state).await;
        if !matches!(sealed, Ok(Some(_))) {
            // Nothing is guessed: the next round reads everything again. `seen` is no guess.
            state.edge = None;
        }
        if sealed.is_err() {
            state.outside = None;
        }
        sealed
    }

    async fn round(&self, state: &mut State) -> Result<Option<Checkpoint>, SealError> {
        self.options.faults.at(Step::SealRead).await?;
        let latest = self.latest().await?;
        let edge = self.take_up(state, latest.as_ref()).await?;
        let grown_from = latest.as_ref().map(|latest| latest.note.clone());
        if let Some(latest) = latest {
            // After a crash between commit and file this brings the file forward; and nothing is added to a ledger that
            // has less than the file says.
            self.bring_outside(state, latest, None).await?;
        } else {
            self.refuse_empty().await?;
        }
        let waiting = table::unsealed(&self.db, self.options.round).await?;
        self.options.faults.at(Step::SealSign).await?;
        let Some((sealed, edge)) = self.seal(edge, waiting).await? else { return Ok(None) };
        state.seen = sealed.size;
        state.edge = Some(edge);
        self.options.faults.at(Step::SealCommitted).await?;
        let checkpoint = Checkpoint { origin: self.options.origin.clone(), size: sealed.size, root: sealed.root };
        // A crash here leaves the file one checkpoint behind, until the next round.
        self.bring_outside(state, sealed, grown_from).await?;
        Ok(Some(checkpoint))
    }

    async fn latest(&self) -> Result<Option<Signed>, SealError> {
        let Some(row) = table::latest_checkpoint(&self.db).await? else { return Ok(None) };
        let checkpoint = open_checkpoint(&row.note, &self.options.origin, &log_keys(&self.keys.known()))
            .map_err(|source| LedgerError::Checkpoint { size: row.tree_size, source })?;
        if u64::try_from(row.tree_size) != Ok(checkpoint.size) || row.root != checkpoint.root {
            return Err(LedgerError::Tampered(format!("the checkpoint of size {}", row.tree_size)).into());
        }
        Ok(Some(Signed { size: checkpoint.size, root: checkpoint.root, note: row.note }))
    }

    /// The right edge of the tree that the newest checkpoint signs.
    async fn take_up(&self, state: &mut State, latest: Option<&Signed>) -> Result<Edge, SealError> {
        let (size, root) = latest.map_or((0, merkle::empty_root()), |latest| (latest.size, latest.root));
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

    /// Extends the tree and signs it, in one transaction. `None` when there is nothing to seal or another was first.
    async fn seal(
        &self,
        mut edge: Edge,
        waiting: Vec<table::UnsealedRow>,
    ) -> Result<Option<(Signed, Edge)>, SealError> {
        let first = edge.size();
        let (mut ids, mut full) = (Vec::new(), Vec::new());
        for row in waiting {
            let leaf = row.body.as_ref().map(|body| merkle::leaf_hash(body.as_bytes()));
            let Some(leaf) = leaf.filter(|leaf| row.leaf_hash.as_deref() == Some(leaf)) else {
                // Signing it would make a forgery genuine. It stays where it is, and `verify` names it.
                tracing::error!(entry.id = %row.id, "an entry was changed before it was sealed: it is not sealed");
                continue;
            };
            ids.push(row.id);
            full.extend(edge.push(leaf).iter().map(tile_row));
        }
        if ids.is_empty() {
            return Ok(None);
        }
        let checkpoint = Checkpoint { origin: self.options.origin.clone(), size: edge.size(), root: edge.root() };
        let signer = OriginSigner::new(&checkpoint.origin, self.keys.signer().ok_or(SealError::NoKey)?);
        // Signed before it is stored: a signature that is then thrown away with its transaction says nothing false, for
        // nobody has seen it.
        let note = signer.and_then(|signer| checkpoint.sign(&signer)).map_err(SealError::Sign)?;
        let signed = Signed { size: checkpoint.size, root: checkpoint.root, note };
        match self.write(&signed, Rows { first, full, ids }).await {
            Ok(()) => {
                metrics::gauge!("medcredit_ledger_tree_size").set(count(signed.size));
                metrics::counter!("medcredit_ledger_sealed_total").increment(signed.size - first);
                Ok(Some((signed, edge)))
            }
            // Another sealer extended the same tree first: its leaves stand, ours were never there.
            Err(error) if error.is_constraint() || error.is_contention() => Ok(None),
            // Failed, or nobody knows: the next round sees what the tables say.
            Err(error) => Err(error.into()),
        }
    }

    async fn write(&self, signed: &Signed, rows: Rows) -> Result<(), DbError> {
        self.options.faults.at(Step::SealInsert).await?;
        let mut tx = self.db.begin("ledger.seal").await?;
        let count = u64::try_from(rows.ids.len()).unwrap_or(u64::MAX);
        let first = i64::try_from(rows.first).unwrap_or(i64::MAX);
        table::insert_leaves(&mut tx, first, rows.ids.clone()).await?;
        if !rows.full.is_empty() {
            table::insert_tiles(&mut tx, Value::from(rows.full).to_string()).await?;
        }
        let row = table::CheckpointRow {
            tree_size: i64::try_from(signed.size).unwrap_or(i64::MAX),
            root: signed.root.to_vec(),
            note: signed.note.clone(),
        };
        table::insert_checkpoint(&mut tx, row, self.clock.now()).await?;
        if table::delete_unsealed(&mut tx, rows.ids).await? != count {
            return Err(DbError::Contention { operation: "ledger.seal" });
        }
        // A crash before the commit is answered leaves all of it or nothing.
        self.options.faults.at(Step::SealCommit).await?;
        tx.commit().await
    }

    /// A database without a checkpoint is a new one only when there is none outside either.
    async fn refuse_empty(&self) -> Result<(), SealError> {
        let Some(file) = &self.outside else { return Ok(()) };
        match file.read().await? {
            None => Ok(()),
            Some(note) => Err(SealError::CutOff { have: 0, had: self.open_outside(file, &note)?.size }),
        }
    }

    fn open_outside(&self, file: &OutsideFile, note: &str) -> Result<Checkpoint, SealError> {
        open_checkpoint(note, &self.options.origin, &log_keys(&self.keys.known()))
            .map_err(|source| SealError::ForeignOutside { path: file.path().to_owned(), source })
    }

    /// Puts the newest checkpoint into the file outside, unless the tree does not continue the one that is there. The tree
    /// is known to continue the one it has just been grown from, whose root was compared: nothing is read again for that.
    async fn bring_outside(
        &self,
        state: &mut State,
        mut latest: Signed,
        grown_from: Option<String>,
    ) -> Result<(), SealError> {
        let Some(file) = &self.outside else { return Ok(()) };
        for _ in 0..SWAPS {
            if state.outside.as_ref() == Some(&latest.note) {
                break;
            }
            let held = file.read().await?;
            if let Some(note) = held.as_ref().filter(|held| grown_from.as_ref() != Some(*held)) {
                let held = self.open_outside(file, note)?;
                if held.size > latest.size {
                    // Another gateway of this machine may have sealed more just now: then the tables have it too.
                    latest = self
                        .latest()
                        .await?
                        .filter(|now| now.size >= held.size)
                        .ok_or(SealError::CutOff { have: latest.size, had: held.size })?;
                }
                self.continues(&held, &latest).await?;
            }
            if held.as_ref() == Some(&latest.note)
                || file.replace(held.as_deref(), &latest.note, &self.options.faults).await?
            {
                state.outside = Some(latest.note.clone());
            }
        }
        Ok(())
    }

    async fn continues(&self, held: &Checkpoint, latest: &Signed) -> Result<(), SealError> {
        let path = proof::consistency(&self.db, held.size, latest.size).await?;
        merkle::verify_consistency((held.size, &held.root), (latest.size, &latest.root), &path)
            .map_err(|_| SealError::Rewritten { size: held.size })
    }
}

struct Rows {
    first: u64,
    full: Vec<Value>,
    ids: Vec<String>,
}

fn tile_row(tile: &FullTile) -> Value {
    json!({
        "l": tile.id.level, "i": tile.id.index,
        "h": HEXLOWER.encode(tile.hashes.as_flattened()), "r": HEXLOWER.encode(&tile.root),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a tree of 2^53 leaves is not reached")]
const fn count(size: u64) -> f64 {
    size as f64
}
