//! Writes rows to staging tables: one statement for each batch, one transaction for several.
//!
//! Tables are sorted by subject and files often by month, so that each batch changes a row in nearly every page of the
//! table: several batches in one transaction write each page once. A crash loses what is not committed, which does no
//! harm: the import is removed anyway.

use std::collections::HashSet;

use super::{ImportError, delivered::Compared};
use crate::{
    facts::{Chunk, encode_documents},
    store::{
        Db, Tx,
        facts::{self, ChunkKey, NewChunk},
        staging::Staging,
    },
};

/// Batches of one transaction. On SQLite other writers of bulk tables wait for it, so it may take about a second.
const BATCHES_OF_A_TRANSACTION: usize = 5;

/// Chunks of one transaction, of about a megabyte each.
const CHUNKS_OF_A_TRANSACTION: usize = 16;

/// Writes the batches of one import.
#[derive(Debug)]
pub(super) struct Writer {
    staging: Staging,
    tx: Option<Tx>,
    /// The batches in it, to write them again if it has to be rolled back.
    pending: Vec<String>,
    /// Whether the file has repeated a key. From then on each batch is compared with the staged rows first.
    careful: bool,
}

impl Writer {
    pub(super) const fn new(staging: Staging) -> Self {
        Self { staging, tx: None, pending: Vec::new(), careful: false }
    }

    /// Writes rows and returns the lines that repeat a key of the file. Usually there are none, and the number of rows
    /// written shows it without another statement.
    pub(super) async fn write(&mut self, db: &Db, seq: i64, rows: &[&str]) -> Result<HashSet<u64>, ImportError> {
        if rows.is_empty() {
            return Ok(HashSet::new());
        }
        if self.careful {
            return self.write_carefully(db, seq, rows).await;
        }
        let mut tx = match self.tx.take() {
            Some(tx) => tx,
            None => begin(db).await?,
        };
        let batch = array(rows);
        let written = self.staging.insert(&mut tx, seq, batch.clone()).await.map_err(failed())?;
        if written == u64::try_from(rows.len()).unwrap_or(u64::MAX) {
            self.tx = Some(tx);
            self.pending.push(batch);
            if self.pending.len() >= BATCHES_OF_A_TRANSACTION {
                self.flush().await?;
            }
            return Ok(HashSet::new());
        }
        // Which rows were skipped can only be found out before the statement: roll back, and write the earlier batches
        // again.
        drop(tx);
        // For the rest of the file: otherwise each further repetition would cost another rollback.
        self.careful = true;
        let mut tx = begin(db).await?;
        for batch in self.pending.drain(..) {
            self.staging.insert(&mut tx, seq, batch).await.map_err(failed())?;
        }
        tx.commit().await.map_err(failed())?;
        self.write_carefully(db, seq, rows).await
    }

    async fn write_carefully(&self, db: &Db, seq: i64, rows: &[&str]) -> Result<HashSet<u64>, ImportError> {
        let mut tx = begin(db).await?;
        let taken = self.staging.existing_lines(&mut tx, seq, &array(rows)).await.map_err(failed())?;
        let taken: HashSet<u64> = taken.into_iter().filter_map(|line| u64::try_from(line).ok()).collect();
        let (fresh, again) = split_repeated(rows, self.staging.key_places(), &taken)?;
        if !fresh.is_empty() {
            self.staging.insert(&mut tx, seq, array(&fresh)).await.map_err(failed())?;
        }
        tx.commit().await.map_err(failed())?;
        Ok(again)
    }

    /// Commits the open transaction.
    pub(super) async fn flush(&mut self) -> Result<(), ImportError> {
        // Before the commit: when that fails the import ends, and nothing is written again.
        self.pending.clear();
        match self.tx.take() {
            Some(tx) => tx.commit().await.map_err(failed()),
            None => Ok(()),
        }
    }

    /// Rolls the open transaction back.
    pub(super) fn abandon(&mut self) {
        self.tx = None;
    }
}

/// A chunk to stage.
#[derive(Debug)]
pub(super) struct StagedChunk<'a> {
    pub(super) kind: &'a str,
    pub(super) chunk: Chunk,
    /// The hashes of its documents.
    pub(super) documents: Vec<u64>,
    pub(super) compared: Compared,
}

/// Writes the chunks of one import of credit facts.
#[derive(Debug, Default)]
pub(super) struct ChunkWriter {
    tx: Option<Tx>,
    /// Chunks so far.
    written: i64,
    /// Chunks in the open transaction.
    open: usize,
}

impl ChunkWriter {
    pub(super) async fn write(&mut self, db: &Db, seq: i64, chunk: StagedChunk<'_>) -> Result<(), ImportError> {
        let StagedChunk { kind, chunk, documents, compared } = chunk;
        let mut tx = match self.tx.take() {
            Some(tx) => tx,
            None => begin(db).await?,
        };
        let period = chunk.period.to_string();
        let new = NewChunk {
            part: self.written,
            kind,
            period: &period,
            first_code: &chunk.first_code,
            last_code: &chunk.last_code,
            rows: i64::try_from(chunk.rows).unwrap_or(i64::MAX),
            digest: &chunk.digest,
            totals: chunk.totals,
            facts: chunk.facts,
        };
        facts::insert(&mut tx, seq, new).await.map_err(failed())?;
        let key = ChunkKey { import_seq: seq, part: self.written };
        facts::insert_documents(&mut tx, key, encode_documents(documents)).await.map_err(failed())?;
        for indexed in compared.indexed {
            // Of an earlier import: it stays, whatever becomes of this one.
            let key = ChunkKey { import_seq: indexed.import_seq, part: indexed.part };
            facts::insert_documents(&mut tx, key, indexed.documents).await.map_err(failed())?;
        }
        for moved in &compared.moved {
            let document = (moved.subject.as_str(), moved.measure.as_str(), moved.document.as_str());
            facts::insert_revision(&mut tx, seq, document).await.map_err(failed())?;
        }
        self.written += 1;
        self.open += 1;
        self.tx = Some(tx);
        if self.open >= CHUNKS_OF_A_TRANSACTION { self.flush().await } else { Ok(()) }
    }

    /// Commits the open transaction.
    pub(super) async fn flush(&mut self) -> Result<(), ImportError> {
        self.open = 0;
        match self.tx.take() {
            Some(tx) => tx.commit().await.map_err(failed()),
            None => Ok(()),
        }
    }
}

fn failed() -> impl FnOnce(crate::store::DbError) -> ImportError {
    ImportError::store("stage rows")
}

async fn begin(db: &Db) -> Result<Tx, ImportError> {
    db.begin_bulk("imports::stage").await.map_err(failed())
}

fn array(rows: &[&str]) -> String {
    let mut text = String::with_capacity(rows.iter().map(|row| row.len() + 1).sum::<usize>() + 2);
    text.push('[');
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(row);
    }
    text.push(']');
    text
}

/// Splits rows whose key is new from those that repeat a key, staged before or earlier in the batch.
fn split_repeated<'r>(
    rows: &[&'r str],
    key_places: &[usize],
    taken: &HashSet<u64>,
) -> Result<(Vec<&'r str>, HashSet<u64>), ImportError> {
    let (mut fresh, mut again, mut keys) = (Vec::with_capacity(rows.len()), HashSet::new(), HashSet::new());
    for row in rows {
        let values: Vec<serde_json::Value> = serde_json::from_str(row).map_err(ImportError::Json)?;
        let line = values.first().and_then(serde_json::Value::as_u64).unwrap_or(0);
        let key: Vec<String> = key_places.iter().filter_map(|at| values.get(*at)).map(ToString::to_string).collect();
        // An empty key means that each line is a row of its own.
        if taken.contains(&line) || (!key.is_empty() && !keys.insert(key)) {
            again.insert(line);
        } else {
            fresh.push(*row);
        }
    }
    Ok((fresh, again))
}
