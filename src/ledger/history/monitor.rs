//! Compares the database's newest checkpoint with those known outside: the checkpoint file, and the memory of this process.
//!
//! A newer checkpoint in the database that continues them goes to the file, whichever gateway signed it: after a failover
//! every gateway knows as much as the one that sealed.

use std::{cmp::Reverse, path::PathBuf, sync::Arc};

use serde_json::json;

use super::{History, HistoryState, Seen};
use crate::{
    domain::{Actor, error_chain},
    ledger::{
        audit::{Action, Change, audit},
        checkpoint_file::{CheckpointFile, CheckpointFileError},
        error::LedgerError,
        faults::Faults,
        keys::{LogKey, LogKeys, OriginSigner, log_keys, open_checkpoint},
        proof,
    },
    merkle::{self, Checkpoint, NoteError, TreeHead},
    store::{
        Db, DbError, Env,
        ledger::seal::{self as table, CheckpointRow},
    },
};

/// What the checkpoint file holds.
#[derive(Debug)]
enum FileContent {
    Absent,
    Note(String),
    Unreadable(String),
}

impl FileContent {
    fn note(&self) -> Option<&str> {
        match self {
            Self::Note(note) => Some(note),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// The memory of this process, the checkpoint file and the database's newest checkpoint, not verified yet.
#[derive(Debug)]
pub struct Sighting {
    seen: Option<Seen>,
    file: FileContent,
    latest: Option<CheckpointRow>,
}

impl Sighting {
    /// Reads them for a process without any memory.
    pub async fn first(db: &Db, file: &CheckpointFile) -> Result<Self, LedgerError> {
        Self::read(db, file, None).await
    }

    /// The database comes last: each checkpoint is remembered and written to the file after its commit, so neither is ahead
    /// of a database that is read later, unless that was turned back.
    async fn read(db: &Db, file: &CheckpointFile, seen: Option<Seen>) -> Result<Self, LedgerError> {
        let file = match file.read().await {
            Ok(None) => FileContent::Absent,
            Ok(Some(note)) => FileContent::Note(note),
            Err(error) => FileContent::Unreadable(error_chain(&error)),
        };
        Ok(Self { seen, file, latest: table::latest_checkpoint(db).await? })
    }
}

/// A history in order.
struct Standing {
    newest: Seen,
    /// The checkpoint in the file; none when there is no file.
    file: Option<TreeHead>,
}

/// Why there is no [`Standing`].
enum Trouble {
    State(HistoryState),
    /// The database could not be read: the state remains as it was.
    Ledger(LedgerError),
}

impl From<HistoryState> for Trouble {
    fn from(state: HistoryState) -> Self {
        Self::State(state)
    }
}

/// The result of accepting the database's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// The checkpoint file exists and the ledger continues its checkpoint, which covers this many leaves.
    Nothing(u64),
    /// Nothing has been sealed yet: the file holds the checkpoint of the tree without leaves.
    Empty,
    /// The file holds the database's newest checkpoint, which covers this many leaves.
    Checkpoint(u64),
}

/// Why the database's history was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The checkpoint file contradicts it, or it cannot be verified.
    #[error(transparent)]
    Refused(HistoryState),
    /// The tables failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] CheckpointFileError),
    /// Another process wrote the file meanwhile.
    #[error("the checkpoint file {0} was written by another process meanwhile: run the command again")]
    Overtaken(PathBuf),
    /// The checkpoint of the tree without leaves could not be signed.
    #[error("the checkpoint of the empty ledger could not be signed")]
    Sign(#[source] NoteError),
}

impl From<DbError> for AcceptError {
    fn from(error: DbError) -> Self {
        Self::Ledger(error.into())
    }
}

/// Compares one log with the checkpoints outside the database.
#[derive(Debug)]
pub struct HistoryMonitor {
    db: Db,
    keys: Arc<dyn LogKeys>,
    origin: String,
    file: CheckpointFile,
    history: History,
}

impl HistoryMonitor {
    /// A monitor of the log in `db` that sets `history`.
    pub fn new(db: Db, keys: Arc<dyn LogKeys>, origin: String, file: CheckpointFile, history: History) -> Self {
        Self { db, keys, origin, file, history }
    }

    /// The state it sets.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Reads what [`HistoryMonitor::judge`] compares.
    pub async fn read(&self) -> Result<Sighting, LedgerError> {
        Sighting::read(&self.db, &self.file, self.history.seen()).await
    }

    /// Compares, sets the state, and writes a newer checkpoint of the database to the file. The keys must have been read
    /// after the sighting: the key of each checkpoint was stored before it signed.
    pub async fn judge(&self, sighting: &Sighting) -> Result<(), LedgerError> {
        let state = match self.assess(sighting).await {
            Ok(standing) => {
                self.follow(sighting, standing).await;
                HistoryState::Current
            }
            Err(Trouble::State(state)) => state,
            Err(Trouble::Ledger(error)) => return Err(error),
        };
        self.history.set(state);
        Ok(())
    }

    /// Compares and changes nothing.
    pub async fn examine(&self) -> Result<HistoryState, LedgerError> {
        match self.assess(&self.read().await?).await {
            Ok(_) => Ok(HistoryState::Current),
            Err(Trouble::State(state)) => Ok(state),
            Err(Trouble::Ledger(error)) => Err(error),
        }
    }

    /// Accepts the database's newest checkpoint as the first one known outside, where the checkpoint file is missing.
    pub async fn accept(&self, env: &Env, actor: &Actor, reason: &str) -> Result<Accepted, AcceptError> {
        let sighting = self.read().await?;
        match (self.assess(&sighting).await, &sighting.latest) {
            (Ok(Standing { file: Some(file), .. }), _) => Ok(Accepted::Nothing(file.size)),
            (Ok(_), _) => {
                let note = self.sign_empty().map_err(AcceptError::Sign)?;
                self.create(&note).await?;
                Ok(Accepted::Empty)
            }
            (Err(Trouble::State(HistoryState::Missing { .. })), Some(row)) => {
                let change = Change::of(json!({ "tree_size": row.tree_size })).because(Some(reason));
                // The entry first: a crash between the two leaves an entry too many, never an acceptance without one.
                let mut tx = self.db.begin("ledger.accept").await?;
                audit(&mut tx, env, actor, Action::CheckpointAccepted, None, change).await?;
                tx.commit().await?;
                self.create(&row.note).await?;
                Ok(Accepted::Checkpoint(u64::try_from(row.tree_size).unwrap_or(0)))
            }
            (Err(Trouble::State(state)), _) => Err(AcceptError::Refused(state)),
            (Err(Trouble::Ledger(error)), _) => Err(error.into()),
        }
    }

    async fn create(&self, note: &str) -> Result<(), AcceptError> {
        if self.file.replace(None, note, &Faults::default()).await? {
            return Ok(());
        }
        Err(AcceptError::Overtaken(self.file.path().to_owned()))
    }

    async fn assess(&self, sighting: &Sighting) -> Result<Standing, Trouble> {
        let (seen, keys) = (sighting.seen.as_ref(), log_keys(&self.keys.verification_keys()));
        let newest = self.newest(sighting.latest.as_ref(), seen, &keys)?;
        let file = match &sighting.file {
            FileContent::Unreadable(why) => return Err(HistoryState::Unverifiable(why.clone()).into()),
            FileContent::Absent => None,
            FileContent::Note(note) => Some(self.file_head(note, [Some(&newest), seen], &keys)?),
        };
        let mut known: Vec<_> = file.into_iter().chain(seen.map(|seen| seen.head)).collect();
        if known.is_empty() && newest.head.size > 0 {
            return Err(HistoryState::Missing { path: self.file.path().to_owned() }.into());
        }
        // The largest first: it is the one that a refusal names.
        known.sort_by_key(|head| Reverse(head.size));
        for known in known {
            self.require_continued(known, newest.head).await?;
        }
        Ok(Standing { newest, file })
    }

    /// The database's newest checkpoint, verified unless it is the one this process has `seen`.
    fn newest(
        &self,
        latest: Option<&CheckpointRow>,
        seen: Option<&Seen>,
        keys: &[LogKey],
    ) -> Result<Seen, HistoryState> {
        let Some(row) = latest else {
            return Ok(Seen { head: TreeHead { size: 0, root: merkle::empty_root() }, note: String::new() });
        };
        if let Some(seen) = seen.filter(|seen| is_row(seen.head, row) && seen.note == row.note) {
            return Ok(seen.clone());
        }
        let size = row.tree_size;
        let checkpoint = open_checkpoint(&row.note, &self.origin, keys).map_err(|error| {
            HistoryState::Unverifiable(format!("the checkpoint of {size} leaves in the database: {error}"))
        })?;
        if !is_row(checkpoint.head(), row) {
            let text = format!("the checkpoint of {size} leaves in the database contradicts its signed note");
            return Err(HistoryState::Unverifiable(text));
        }
        Ok(Seen { head: checkpoint.head(), note: row.note.clone() })
    }

    /// The checkpoint in the file, verified unless it is one of those that are `verified`.
    fn file_head(&self, note: &str, verified: [Option<&Seen>; 2], keys: &[LogKey]) -> Result<TreeHead, HistoryState> {
        // An empty file is not the checkpoint of the tree without leaves, which has an empty note in memory only.
        if let Some(same) = verified.into_iter().flatten().find(|seen| !note.is_empty() && seen.note == note) {
            return Ok(same.head);
        }
        open_checkpoint(note, &self.origin, keys).map(|checkpoint| checkpoint.head()).map_err(|error| {
            let path = self.file.path().display();
            HistoryState::Unverifiable(format!(
                "the checkpoint file {path} does not hold a checkpoint of this log: {error}"
            ))
        })
    }

    async fn require_continued(&self, known: TreeHead, store: TreeHead) -> Result<(), Trouble> {
        if known == store {
            return Ok(());
        }
        if store.size < known.size {
            return Err(HistoryState::Behind { store: store.size, known: known.size }.into());
        }
        let path = match proof::consistency(&self.db, known.size, store.size).await {
            Ok(path) => path,
            Err(error @ LedgerError::Store(_)) => return Err(Trouble::Ledger(error)),
            Err(error) => return Err(HistoryState::Unverifiable(error_chain(&error)).into()),
        };
        merkle::verify_consistency(known, store, &path)
            .map_err(|_| HistoryState::Forked { store: store.size, known: known.size }.into())
    }

    /// Writes the newest checkpoint to the file, unless the file has it, and remembers it.
    ///
    /// The file of a new log gets the checkpoint of the tree without leaves before anything is sealed. So a missing file
    /// always means that it was removed, never that a gateway was killed before it wrote its first one.
    async fn follow(&self, sighting: &Sighting, standing: Standing) {
        let Standing { newest, file } = standing;
        let note = match file {
            Some(file) if file.size >= newest.head.size => None,
            None if newest.note.is_empty() => self.sign_empty().ok(),
            _ => Some(newest.note.clone()),
        };
        if let Some(note) = note
            && let Err(error) = self.file.replace(sighting.file.note(), &note, &Faults::default()).await
        {
            // The checkpoint stays in memory and the next poll tries again; the sealer, which writes the same file, makes
            // the gateway not ready.
            tracing::warn!(error = %error_chain(&error), "the checkpoint file could not be written");
        }
        self.history.saw(newest.head.size, newest.head.root, newest.note);
    }

    fn sign_empty(&self) -> Result<String, NoteError> {
        let signer = self.keys.signer().ok_or(NoteError::Key)?;
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: 0, root: merkle::empty_root() };
        checkpoint.sign(&OriginSigner::new(&checkpoint.origin, signer)?)
    }
}

fn is_row(head: TreeHead, row: &CheckpointRow) -> bool {
    u64::try_from(row.tree_size) == Ok(head.size) && row.root == head.root
}
