//! Sealing: committed entries become leaves, and a signed checkpoint covers them.
//!
//! One transaction adds leaves, full tiles and checkpoint and empties the queue. The leaves' primary key fences sealers:
//! of two that extend the same tree one fails, notices, and yields. Starting again after a crash is the ordinary path:
//! every round begins from what the tables and the file outside say.

mod error;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::Mutex;

pub use error::SealError;

use super::{
    LedgerError,
    checkpoint_file::CheckpointFile,
    faults::{Faults, Step},
    keys::{LogKeys, OriginSigner, log_keys, open_checkpoint},
    leaf_cache::{LeafCache, Place},
    proof, tiles,
};
use crate::{
    domain::{Timestamp, clock::SharedClock, error_chain},
    merkle::{self, Checkpoint, Edge, FullTile, Hash},
    store::{Db, DbError, Engine, ledger::seal as table},
};

/// How often another process may be first at the file outside before it is left to the next round.
const SWAPS: u32 = 8;
/// Between two such transactions: answers come first, and a checkpoint costs the same for many leaves as for a few. SQLite has
/// one writer for both; PostgreSQL has to do with them at the same time, and is the less in the way the shorter it takes.
const fn pause(engine: Engine) -> Duration {
    match engine {
        Engine::Sqlite => Duration::from_millis(20),
        Engine::Postgres => Duration::from_millis(10),
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
    /// What the recorder beside it has committed.
    pub fresh: LeafCache,
    /// Where a test breaks it.
    pub faults: Faults,
}

/// Seals one log.
#[derive(Debug)]
pub struct Sealer {
    db: Db,
    clock: SharedClock,
    keys: Arc<dyn LogKeys>,
    outside: Option<CheckpointFile>,
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
    /// The newest checkpoint this process signed and stored.
    signed: Option<Signed>,
    /// Where it is in the queue.
    place: Place,
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
        let outside = options.outside.clone().map(CheckpointFile::new);
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
            let sealed = self.next(&mut *self.state.lock().await).await;
            match sealed {
                Ok(Some(_)) => tokio::time::sleep(pause(self.db.engine())).await,
                Ok(None) => return self.remember(None),
                Err(error) => {
                    metrics::counter!("medcredit_ledger_seal_failures_total").increment(1);
                    let why = error_chain(&error);
                    tracing::error!(error = %why, "the ledger was not sealed");
                    return self.remember(Some(why));
                }
            }
        }
    }

    async fn report(&self) {
        if let Ok(backlog) = table::backlog(&self.db).await {
            let oldest =
                backlog.oldest_at.map_or(Duration::ZERO, |at| self.clock.now().since(Timestamp::from_micros(at)));
            #[expect(clippy::cast_precision_loss, reason = "a backlog of 2^53 entries is not reached")]
            metrics::gauge!("medcredit_ledger_unsealed").set(backlog.waiting as f64);
            metrics::gauge!("medcredit_ledger_unsealed_oldest_seconds").set(oldest.as_secs_f64());
        }
    }

    /// Seals what waits, up to a round of it. `None` when nothing does, or when another sealer was first.
    pub async fn seal_once(&self) -> Result<Option<Checkpoint>, SealError> {
        let mut state = self.state.lock().await;
        state.place = Place::default();
        self.next(&mut state).await
    }

    /// The same, going on where the last round was in the queue.
    async fn next(&self, state: &mut State) -> Result<Option<Checkpoint>, SealError> {
        let sealed = self.round(state).await;
        if !matches!(sealed, Ok(Some(_))) {
            // Nothing is guessed: the next round reads everything again. `seen` is no guess.
            (state.edge, state.place) = (None, Place::default());
        }
        if sealed.is_err() {
            state.outside = None;
        }
        sealed
    }

    async fn round(&self, state: &mut State) -> Result<Option<Checkpoint>, SealError> {
        self.options.faults.at(Step::SealRead).await?;
        let latest = self.latest(state.signed.as_ref()).await?;
        let edge = self.take_up(state, latest.as_ref()).await?;
        let grown_from = latest.as_ref().map(|latest| latest.note.clone());
        if let Some(latest) = latest {
            // After a crash between commit and file this brings the file forward; and nothing is added to a ledger that
            // has less than the file says.
            self.bring_outside(state, latest, None).await?;
        } else {
            self.refuse_empty().await?;
        }
        let (now, round) = (self.clock.now(), self.options.round);
        let waiting = self.options.fresh.waiting(&self.db, &mut state.place, (now, round)).await?;
        self.options.faults.at(Step::SealSign).await?;
        let Some((sealed, edge)) = self.seal(edge, waiting).await? else { return Ok(None) };
        state.seen = sealed.size;
        state.signed = Some(sealed.clone());
        state.edge = Some(edge);
        self.options.faults.at(Step::SealCommitted).await?;
        let checkpoint = Checkpoint { origin: self.options.origin.clone(), size: sealed.size, root: sealed.root };
        // A crash here leaves the file one checkpoint behind, until the next round.
        self.bring_outside(state, sealed, grown_from).await?;
        Ok(Some(checkpoint))
    }

    /// The newest checkpoint, whose signature is checked unless it is the one just `signed`.
    async fn latest(&self, signed: Option<&Signed>) -> Result<Option<Signed>, SealError> {
        let Some(row) = table::latest_checkpoint(&self.db).await? else { return Ok(None) };
        if let Some(signed) = signed
            && u64::try_from(row.tree_size) == Ok(signed.size)
            && row.root == signed.root
            && row.note == signed.note
        {
            return Ok(Some(signed.clone()));
        }
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
    async fn seal(&self, mut edge: Edge, waiting: Vec<(String, Hash)>) -> Result<Option<(Signed, Edge)>, SealError> {
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
        let signer = OriginSigner::new(&checkpoint.origin, self.keys.signer().ok_or(SealError::NoKey)?);
        // Signed before it is stored: a signature that is then thrown away with its transaction says nothing false, for
        // nobody has seen it.
        let note = signer.and_then(|signer| checkpoint.sign(&signer)).map_err(SealError::Sign)?;
        let signed = Signed { size: checkpoint.size, root: checkpoint.root, note };
        let rows = Rows { first, full, ids };
        match self.write(&signed, &rows).await {
            Ok(()) => {
                self.options.fresh.forget(&rows.ids);
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

    async fn write(&self, signed: &Signed, rows: &Rows) -> Result<(), DbError> {
        self.options.faults.at(Step::SealInsert).await?;
        let mut tx = self.db.begin("ledger.seal").await?;
        let count = u64::try_from(rows.ids.len()).unwrap_or(u64::MAX);
        table::insert_leaves(&mut tx, signed_number(rows.first), rows.ids.clone()).await?;
        if !rows.full.is_empty() {
            table::insert_tiles(&mut tx, tile_columns(&rows.full)).await?;
        }
        let row = table::CheckpointRow {
            tree_size: signed_number(signed.size),
            root: signed.root.to_vec(),
            note: signed.note.clone(),
        };
        table::insert_checkpoint(&mut tx, row, self.clock.now()).await?;
        if table::delete_unsealed(&mut tx, rows.ids.clone()).await? != count {
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

    fn open_outside(&self, file: &CheckpointFile, note: &str) -> Result<Checkpoint, SealError> {
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
                        .latest(None)
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
    full: Vec<FullTile>,
    ids: Vec<String>,
}

fn tile_columns(tiles: &[FullTile]) -> table::TileColumns {
    table::TileColumns {
        level: tiles.iter().map(|tile| tile.id.level.into()).collect(),
        index: tiles.iter().map(|tile| signed_number(tile.id.index)).collect(),
        hashes: tiles.iter().map(|tile| tile.hashes.as_flattened().to_vec()).collect(),
        root: tiles.iter().map(|tile| tile.root.to_vec()).collect(),
    }
}

/// A number as the tables have it.
fn signed_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a tree of 2^53 leaves is not reached")]
const fn count(size: u64) -> f64 {
    size as f64
}
