//! Compares the database's newest checkpoint with those known outside: the checkpoint file, and the memory of this process.
//!
//! A newer checkpoint in the database that continues them goes to the file, whichever gateway signed it. What none of the
//! others has seen when a failover loses it, the one that has attests (`agreement.rs`).

use std::{cmp::Reverse, sync::Arc, time::Duration};

use super::{
    History, HistoryState, Seen,
    agreement::Agreement,
    ends::EndsWatch,
    gateway_name::GatewayName,
    sighting::{FileContent, Sighting},
};
use crate::{
    domain::{clock::SharedClock, error_chain},
    ledger::{
        answers::AnswerJournal,
        checkpoint_file::{CheckpointFile, CheckpointFileError},
        error::LedgerError,
        faults::Faults,
        keys::{LogKey, LogKeys, OriginSigner, epoch_of, log_keys, open_checkpoint},
        proof,
    },
    merkle::{self, Checkpoint, NoteError, TreeHead},
    store::{Db, ledger::seal::CheckpointRow},
};

/// How long a poll waits for what is being recorded and sealed, when the database has moved to another server.
const STOPS_WITHIN: Duration = Duration::from_millis(500);

/// A history in order.
pub(super) struct Standing {
    newest: Seen,
    /// The checkpoint in the file; none when there is no file, or one of a former epoch.
    pub(super) file: Option<TreeHead>,
    /// The former epoch of the checkpoint in the file.
    pub(super) former: Option<i64>,
}

/// Why there is no [`Standing`].
pub(super) enum Trouble {
    State(HistoryState),
    /// The database could not be read: the state remains as it was.
    Ledger(LedgerError),
}

impl From<HistoryState> for Trouble {
    fn from(state: HistoryState) -> Self {
        Self::State(state)
    }
}

/// Compares one log with the checkpoints outside the database.
#[derive(Debug)]
pub struct HistoryMonitor {
    pub(super) db: Db,
    keys: Arc<dyn LogKeys>,
    origin: String,
    pub(super) file: CheckpointFile,
    ends: EndsWatch,
    history: History,
    answers: Option<AnswerJournal>,
    agreement: Option<Agreement>,
}

impl HistoryMonitor {
    /// A monitor of the log in `db` that sets `history`, whose process records in the epoch of `origin`.
    pub fn new(db: Db, keys: Arc<dyn LogKeys>, origin: String, file: CheckpointFile, history: History) -> Self {
        history.record_in(epoch_of(&origin));
        let ends = EndsWatch::new(&file);
        Self { db, keys, origin, file, ends, history, answers: None, agreement: None }
    }

    /// The same, which also compares the last answers that left this host.
    #[must_use]
    pub fn with_answers(self, answers: AnswerJournal) -> Self {
        Self { answers: Some(answers), ..self }
    }

    /// The same for a gateway, which attests what it has found and waits for the others (`agreement.rs`).
    #[must_use]
    pub fn attesting(self, name: GatewayName, clock: SharedClock) -> Self {
        Self { agreement: Some(Agreement::of_gateway(self.db.clone(), name, clock)), ..self }
    }

    /// The same for a command, which also looks at what the gateways attest.
    #[must_use]
    pub fn observing(self) -> Self {
        Self { agreement: Some(Agreement::observed(self.db.clone())), ..self }
    }

    /// A gateway that has ended: the others need not wait for what it knows, which the database has.
    pub async fn withdraw(&self) -> Result<(), LedgerError> {
        match &self.agreement {
            Some(agreement) if *self.history.state() == HistoryState::Current => agreement.withdraw().await,
            _ => Ok(()),
        }
    }

    /// The state it sets.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Reads what [`HistoryMonitor::judge`] compares.
    pub async fn read(&self) -> Result<Sighting, LedgerError> {
        let is_current = match *self.history.state() {
            HistoryState::Current => true,
            HistoryState::Overtaken => {
                // The append was on a new connection, it seems; the others may lead elsewhere.
                self.db.renew_connections();
                false
            }
            _ => false,
        };
        // While it is current, this process remembers the last answers itself.
        self.read_with(self.answers.as_ref().filter(|_| !is_current)).await
    }

    /// Reads it with the last answers of this host.
    pub(super) async fn read_all(&self) -> Result<Sighting, LedgerError> {
        self.read_with(self.answers.as_ref()).await
    }

    async fn read_with(&self, answers: Option<&AnswerJournal>) -> Result<Sighting, LedgerError> {
        Sighting::read(&self.db, &self.file, &self.history, &self.ends, answers).await
    }

    /// Compares, sets the state, and writes a newer checkpoint of the database to the file. The keys must have been read
    /// after the sighting: the key of each checkpoint was stored before it signed.
    pub async fn judge(&self, sighting: &Sighting) -> Result<(), LedgerError> {
        // A process of a former epoch can only end, on whichever server.
        let is_ours =
            |agreement: &&Agreement| sighting.epoch == self.history.epoch() && agreement.has_moved(&sighting.server);
        let moved = self.agreement.as_ref().filter(is_ours);
        let state = match moved {
            None => self.judged(sighting).await?,
            Some(agreement) => {
                if !self.history.stop(agreement.unagreed(), STOPS_WITHIN).await {
                    // The next poll waits again.
                    return Ok(());
                }
                // Read again: what was in progress has ended, and no connection leads to the former server.
                self.db.renew_connections();
                let sighting = self.read().await?;
                self.judged(&sighting).await?
            }
        };
        self.history.set(state);
        self.history.compared();
        Ok(())
    }

    async fn judged(&self, sighting: &Sighting) -> Result<HistoryState, LedgerError> {
        let state = match self.assess(sighting).await {
            Ok(standing) => {
                self.follow(sighting, standing).await;
                HistoryState::Current
            }
            Err(Trouble::State(state)) => state,
            Err(Trouble::Ledger(error)) => return Err(error),
        };
        self.concluded(sighting, state).await
    }

    /// Compares and changes nothing.
    pub async fn examine(&self) -> Result<HistoryState, LedgerError> {
        let sighting = self.read_all().await?;
        match self.assess(&sighting).await {
            Ok(_) => self.concluded(&sighting, HistoryState::Current).await,
            Err(Trouble::State(state)) => Ok(state),
            Err(Trouble::Ledger(error)) => Err(error),
        }
    }

    /// The state after what the other gateways have found.
    async fn concluded(&self, sighting: &Sighting, own: HistoryState) -> Result<HistoryState, LedgerError> {
        match (&self.agreement, self.history.epoch()) {
            (Some(agreement), Some(epoch)) => agreement.conclude(&sighting.server, epoch, own).await,
            _ => Ok(own),
        }
    }

    pub(super) async fn assess(&self, sighting: &Sighting) -> Result<Standing, Trouble> {
        // Before everything else: the checkpoints of another epoch say nothing to this process.
        if let (Some(store), Some(ours)) = (sighting.epoch, self.history.epoch())
            && store != ours
        {
            return Err(HistoryState::EpochMoved { store, ours }.into());
        }
        let standing = self.assess_checkpoints(sighting).await?;
        // After the checkpoints, which say more about a database that was turned back.
        if let Some(why) = sighting.ends.unreadable.as_ref().or(sighting.unreadable.as_ref()) {
            return Err(HistoryState::Unverifiable(why.clone()).into());
        }
        if sighting.ends.lacking > 0 {
            return Err(self.ends_missing(sighting).into());
        }
        match &sighting.missing_entry {
            Some(entry) => Err(HistoryState::EntryMissing(entry.clone()).into()),
            None => Ok(standing),
        }
    }

    pub(super) fn ends_missing(&self, sighting: &Sighting) -> HistoryState {
        let (lacking, journal) = (sighting.ends.lacking, self.ends.journal().path().to_owned());
        HistoryState::EndsMissing { lacking, journal }
    }

    async fn assess_checkpoints(&self, sighting: &Sighting) -> Result<Standing, Trouble> {
        let (seen, keys) = (sighting.seen.as_ref(), log_keys(&self.keys.verification_keys()));
        let newest = self.newest(sighting.latest.as_ref(), seen, &keys)?;
        let file = match &sighting.file {
            FileContent::Unreadable(why) => return Err(HistoryState::Unverifiable(why.clone()).into()),
            FileContent::Absent => None,
            FileContent::Note(note) => Some(self.file_head(note, [Some(&newest), seen], &keys)?),
        };
        // A checkpoint of an epoch that a recovery has ended: the log signed the next one only once that was done.
        let former = sighting.file.note().map(epoch_of_note).filter(|epoch| *epoch < epoch_of_note(&newest.note));
        let file = file.filter(|_| former.is_none());
        let mut known: Vec<_> = file.into_iter().chain(seen.map(|seen| seen.head)).collect();
        if known.is_empty() && former.is_none() && newest.head.size > 0 {
            return Err(HistoryState::Missing { path: self.file.path().to_owned() }.into());
        }
        // The largest first: it is the one that a refusal names.
        known.sort_by_key(|head| Reverse(head.size));
        for known in known {
            self.require_continued(known, newest.head).await?;
        }
        Ok(Standing { newest, file, former })
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
        let Standing { newest, file, former } = standing;
        if !sighting.ends.unwritten.is_empty()
            && let Err(error) = self.ends.journal().append(&sighting.ends.unwritten).await
        {
            // The next poll tries again. No end waits for this: its own process has written it, or has not acknowledged it.
            tracing::warn!(error = %error_chain(&error), "the journal of ends could not be written");
        }
        let note = match file {
            Some(file) if file.size >= newest.head.size => None,
            None if newest.note.is_empty() => self.sign_empty().ok(),
            _ => Some(newest.note.clone()),
        };
        if let Some(note) = note
            && let Err(error) = self.replace_file(sighting, &note, former).await
        {
            // The checkpoint stays in memory and the next poll tries again; the sealer, which writes the same file, makes
            // the gateway not ready.
            tracing::warn!(error = %error_chain(&error), "the checkpoint file could not be written");
        }
        self.history.saw(newest.head.size, newest.head.root, newest.note);
    }

    async fn replace_file(
        &self,
        sighting: &Sighting,
        note: &str,
        former: Option<i64>,
    ) -> Result<bool, CheckpointFileError> {
        if let Some(epoch) = former {
            // Evidence of the history that a recovery has ended.
            self.file.keep_copy(epoch).await?;
        }
        self.file.replace(sighting.file.note(), note, &Faults::default()).await
    }

    pub(super) fn sign_empty(&self) -> Result<String, NoteError> {
        let signer = self.keys.signer().ok_or(NoteError::Key)?;
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: 0, root: merkle::empty_root() };
        checkpoint.sign(&OriginSigner::new(&checkpoint.origin, signer)?)
    }
}

/// The epoch in a note's origin; 0 for one that names none.
pub(super) fn epoch_of_note(note: &str) -> i64 {
    epoch_of(note.lines().next().unwrap_or_default()).unwrap_or(0)
}

fn is_row(head: TreeHead, row: &CheckpointRow) -> bool {
    u64::try_from(row.tree_size) == Ok(head.size) && row.root == head.root
}
