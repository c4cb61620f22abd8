//! Accepts the database's history where nothing outside it is known.

use std::path::PathBuf;

use serde_json::json;

use super::{
    HistoryState,
    monitor::{HistoryMonitor, Standing, Trouble, epoch_of_note},
};
use crate::{
    domain::Actor,
    ledger::{
        audit::{Action, Change, audit},
        checkpoint_file::CheckpointFileError,
        error::LedgerError,
        faults::Faults,
    },
    merkle::NoteError,
    store::{DbError, Env},
};

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

impl HistoryMonitor {
    /// Accepts the database's newest checkpoint as the first one known outside, where the checkpoint file is missing.
    pub async fn accept(&self, env: &Env, actor: &Actor, reason: &str) -> Result<Accepted, AcceptError> {
        let sighting = self.read_all().await?;
        // Also where the checkpoint file is missing: the journals show that this database is an older one.
        if sighting.ends.lacking > 0 {
            return Err(AcceptError::Refused(self.ends_missing(&sighting)));
        }
        if let Some(entry) = &sighting.missing_entry {
            return Err(AcceptError::Refused(HistoryState::EntryMissing(entry.clone())));
        }
        match (self.assess(&sighting).await, &sighting.latest) {
            (Ok(Standing { file: Some(file), .. }), _) => Ok(Accepted::Nothing(file.size)),
            // A gateway replaces it when it starts.
            (Ok(Standing { former: Some(_), .. }), Some(row)) => {
                Ok(Accepted::Nothing(u64::try_from(row.tree_size).unwrap_or(0)))
            }
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

    /// Puts the database's newest checkpoint in the place of whatever the checkpoint file holds, after a recovery. A file of
    /// a former epoch is kept beside it. Returns the size of the tree.
    pub async fn adopt(&self) -> Result<u64, AcceptError> {
        let latest = self.read().await?.latest;
        let row = latest.ok_or_else(|| LedgerError::Tampered("the checkpoint of the recovery is missing".into()))?;
        let held = self.file.read().await?;
        if let Some(former) = held.as_deref().map(epoch_of_note).filter(|epoch| *epoch < epoch_of_note(&row.note)) {
            self.file.keep_copy(former).await?;
        }
        if !self.file.replace(held.as_deref(), &row.note, &Faults::default()).await? {
            return Err(AcceptError::Overtaken(self.file.path().to_owned()));
        }
        Ok(u64::try_from(row.tree_size).unwrap_or(0))
    }

    async fn create(&self, note: &str) -> Result<(), AcceptError> {
        if self.file.replace(None, note, &Faults::default()).await? {
            return Ok(());
        }
        Err(AcceptError::Overtaken(self.file.path().to_owned()))
    }
}
