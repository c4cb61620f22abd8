//! Compares the ends of access in the database with the journal outside it, in both directions.
//!
//! The journal gets every end that the database has, whichever process made it. A database that lacks one that the journal
//! has was turned back.

use std::{collections::HashMap, path::Path};

use tokio::sync::Mutex;

use crate::{
    domain::error_chain,
    ledger::checkpoint_file::CheckpointFile,
    store::{Db, DbError, EndJournal, EndRow, ends},
};

/// The journal of ends that belongs to a checkpoint file.
pub fn journal_beside(checkpoint_file: &Path) -> EndJournal {
    EndJournal::new(CheckpointFile::new(checkpoint_file.to_owned()).neighbour(".ends"))
}

/// Where an end was seen.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    in_journal: bool,
    in_store: bool,
}

/// What a process has read, so that each poll reads only what is new.
#[derive(Debug, Default)]
struct Watched {
    marks: HashMap<String, Mark>,
    /// How far the journal was read.
    position: u64,
    /// The newest end of the database: number and id.
    newest: Option<(i64, String)>,
}

/// The result of a comparison.
#[derive(Debug, Default)]
pub(super) struct EndsSighting {
    /// How many ends the database lacks.
    pub(super) lacking: usize,
    /// The ends that the journal lacks.
    pub(super) unwritten: Vec<EndRow>,
    /// Why the journal cannot be read.
    pub(super) unreadable: Option<String>,
}

/// Compares one journal with one database.
#[derive(Debug)]
pub(super) struct EndsWatch {
    journal: EndJournal,
    watched: Mutex<Watched>,
}

impl EndsWatch {
    pub(super) fn new(file: &CheckpointFile) -> Self {
        Self { journal: journal_beside(file.path()), watched: Mutex::default() }
    }

    pub(super) const fn journal(&self) -> &EndJournal {
        &self.journal
    }

    /// Reads both. The journal first: an end is in it only after its commit, so it is never ahead of a database that is read
    /// later, unless that was turned back.
    pub(super) async fn compare(&self, db: &Db) -> Result<EndsSighting, DbError> {
        let mut guard = self.watched.lock().await;
        let watched = &mut *guard;
        match self.journal.read_from(watched.position).await {
            Ok(tail) => watched.add_journal(tail.ends, tail.position, tail.restarted),
            Err(error) => {
                let why = format!("the journal of ends {}: {}", self.journal.path().display(), error_chain(&error));
                return Ok(EndsSighting { unreadable: Some(why), ..EndsSighting::default() });
            }
        }
        if watched.marks.values().any(|mark| mark.in_store && !mark.in_journal) {
            // The last attempt to write them failed, or the journal was removed: their rows are read again.
            watched.newest = None;
        }
        let from = watched.newest.as_ref().map_or(0, |(number, _)| *number);
        let mut rows = ends::since(db, from).await?;
        let first = rows.first().map(|row| (row.number, row.id.clone()));
        if watched.newest.is_some() && watched.newest != first {
            // The newest end is not there any more.
            watched.newest = None;
            rows = ends::since(db, 0).await?;
        }
        let unwritten = watched.add_store(rows);
        let lacking = watched.marks.values().filter(|mark| !mark.in_store).count();
        Ok(EndsSighting { lacking, unwritten, unreadable: None })
    }
}

impl Watched {
    fn add_journal(&mut self, ends: Vec<EndRow>, position: u64, restarted: bool) {
        if restarted {
            self.marks.values_mut().for_each(|mark| mark.in_journal = false);
        }
        for end in ends {
            self.marks.entry(end.id).or_default().in_journal = true;
        }
        self.position = position;
    }

    /// Adds rows from the newest known one on, or all. Returns those that the journal lacks.
    fn add_store(&mut self, rows: Vec<EndRow>) -> Vec<EndRow> {
        if self.newest.is_none() {
            self.marks.values_mut().for_each(|mark| mark.in_store = false);
        }
        let mut unwritten = Vec::new();
        for row in rows {
            self.newest = Some((row.number, row.id.clone()));
            let mark = self.marks.entry(row.id.clone()).or_default();
            mark.in_store = true;
            if !mark.in_journal {
                unwritten.push(row);
            }
        }
        unwritten
    }
}
