//! What one comparison of the history is made from.

use serde_json::json;

use super::{
    History, Seen,
    ends::{EndsSighting, EndsWatch},
};
use crate::{
    domain::error_chain,
    ledger::{answers::AnswerJournal, checkpoint_file::CheckpointFile, error::LedgerError},
    store::{
        Db, DbError,
        ledger::{
            append, epochs,
            seal::{self as table, CheckpointRow},
            servers::{self, ServerRow},
        },
    },
};

/// What the checkpoint file holds.
#[derive(Debug)]
pub(super) enum FileContent {
    Absent,
    Note(String),
    Unreadable(String),
}

impl FileContent {
    pub(super) fn note(&self) -> Option<&str> {
        match self {
            Self::Note(note) => Some(note),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// The memory of this process, what stands outside the database, and what the database has, not verified yet.
#[derive(Debug)]
pub struct Sighting {
    pub(super) seen: Option<Seen>,
    pub(super) file: FileContent,
    pub(super) latest: Option<CheckpointRow>,
    pub(super) epoch: Option<i64>,
    /// An entry that this process, or one before it on this host, saw committed and the database lacks.
    pub(super) missing_entry: Option<String>,
    pub(super) ends: EndsSighting,
    pub(super) server: ServerRow,
    /// Why the journal of answers cannot be read.
    pub(super) unreadable: Option<String>,
}

impl Sighting {
    /// Reads them for a process without any memory.
    pub async fn first(db: &Db, file: &CheckpointFile, answers: &AnswerJournal) -> Result<Self, LedgerError> {
        Self::read(db, file, &History::default(), &EndsWatch::new(file), Some(answers)).await
    }

    /// The database comes last: each checkpoint, entry and end is remembered and written to the files after its commit, so
    /// none is ahead of a database that is read later, unless that was turned back. But first the server: the rest is read
    /// there, or attested nowhere.
    pub(super) async fn read(
        db: &Db,
        file: &CheckpointFile,
        history: &History,
        ends: &EndsWatch,
        answers: Option<&AnswerJournal>,
    ) -> Result<Self, LedgerError> {
        let server = servers::current(db).await?;
        let (seen, mut committed) = (history.seen(), history.known().entries);
        let last = match answers {
            Some(answers) => answers.last().await,
            None => Ok(Vec::new()),
        };
        let unreadable = last.as_ref().err().map(|error| format!("the journal of answers: {}", error_chain(error)));
        committed.extend(last.unwrap_or_default());
        let file = match file.read().await {
            Ok(None) => FileContent::Absent,
            Ok(Some(note)) => FileContent::Note(note),
            Err(error) => FileContent::Unreadable(error_chain(&error)),
        };
        let ends = ends.compare(db).await?;
        let missing_entry = missing_of(db, committed).await?;
        let epoch = epochs::current(db).await?;
        let latest = table::latest_checkpoint(db).await?;
        Ok(Self { seen, file, latest, epoch, missing_entry, ends, server, unreadable })
    }
}

/// The first of some entries that the database lacks.
async fn missing_of(db: &Db, entries: Vec<String>) -> Result<Option<String>, DbError> {
    if entries.is_empty() {
        return Ok(None);
    }
    let rows: Vec<_> = entries.iter().map(|id| json!({ "id": id })).collect();
    let found = append::find_entries(db, serde_json::Value::from(rows).to_string()).await?;
    Ok(entries.into_iter().find(|id| !found.contains(id)))
}
