//! Imported files: what was brought, by which file, and whether it counts.

use super::{DbError, Read, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// An imported file.
    pub struct ImportRow {
        /// Its number; the order in which versions of a fact count.
        pub seq: i64,
        /// Its id.
        pub id: String,
        /// The template it follows.
        pub template: String,
        /// Its name, without the directory.
        pub file_name: String,
        /// Its SHA-256, hex.
        pub sha256: String,
        /// Its rows, the header not counted.
        pub row_count: i64,
        /// How many were taken.
        pub accepted: i64,
        /// How many were not.
        pub rejected: i64,
        /// staging, accepted, discarding or discarded.
        pub state: String,
        /// When it was begun.
        pub started_at: i64,
        /// When its rows became visible.
        pub accepted_at: Option<i64>,
        /// The client that delivered it; none where an operator brought it.
        pub client_id: Option<String>,
    }
}
record! {
    struct BodyRow {
        body: String,
    }
}
record! {
    struct SeqRow {
        seq: i64,
    }
}

/// What an import is begun with.
#[derive(Debug, Clone, Copy)]
pub struct NewImport<'a> {
    /// Its id.
    pub id: &'a str,
    /// The client that delivers it, if one does.
    pub client: Option<&'a str>,
    /// The template it follows.
    pub template: &'a str,
    /// The file's name, without the directory.
    pub file_name: &'a str,
    /// The file's SHA-256, hex.
    pub sha256: &'a str,
}

/// How many rows an import had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportCounts {
    /// All, the header not counted.
    pub rows: i64,
    /// Those taken.
    pub accepted: i64,
    /// Those not taken.
    pub rejected: i64,
}

const FIND_ACCEPTED: &str = "/* imports::find_accepted */
    SELECT seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at, accepted_at, client_id
    FROM imports WHERE template = $1 AND sha256 = $2 AND state = 'accepted'";
const LIST: &str = "/* imports::list */
    SELECT seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at, accepted_at, client_id
    FROM imports WHERE state = $1 ORDER BY seq";
const BEGIN: &str = "/* imports::begin */
    INSERT INTO imports (seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at,
                         client_id)
    SELECT COALESCE(MAX(seq), 0) + 1, CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT),
           0, 0, 0, 'staging', CAST($5 AS BIGINT), CAST($6 AS TEXT)
    FROM imports RETURNING seq";
const ACCEPT: &str = "/* imports::accept */
    UPDATE imports SET state = 'accepted', row_count = $2, accepted = $3, rejected = $4, accepted_at = $5
    WHERE seq = $1 AND state = 'staging'";
const DISCARD: &str = "/* imports::discard */
    UPDATE imports SET state = 'discarding' WHERE seq = $1 AND state IN ('staging', 'discarding')";
const DISCARDED: &str =
    "/* imports::discarded */ UPDATE imports SET state = 'discarded' WHERE seq = $1 AND state = 'discarding'";

const KEEP_REPORT: &str = "/* imports::keep_report */
    INSERT INTO import_reports (import_id, client_id, body, made_at) VALUES ($1, $2, $3, $4)";
const REPORT: &str = "/* imports::report */
    SELECT body FROM import_reports WHERE import_id = $1 AND client_id = $2";
const FORGET_REPORTS: &str = "/* imports::forget_reports */ DELETE FROM import_reports WHERE made_at < $1";

/// Keeps what a client is told of its import, JSON.
pub async fn keep_report(
    tx: &mut Tx,
    (import, client): (&str, &str),
    body: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(KEEP_REPORT, args![import, client, body, now]).await.map(|_| ())
}

/// What a client was told of an import of its own.
pub async fn report(read: &Read<'_>, import: &str, client: &str) -> Result<Option<String>, DbError> {
    read.fetch_optional::<BodyRow>(REPORT, args![import, client]).await.map(|row| row.map(|row| row.body))
}

/// Forgets reports made before a time.
pub async fn forget_reports(tx: &mut Tx, before: Timestamp) -> Result<u64, DbError> {
    tx.execute(FORGET_REPORTS, args![before]).await
}

/// The accepted import of a file, recognised by its digest.
pub async fn find_accepted(read: &Read<'_>, template: &str, sha256: &str) -> Result<Option<ImportRow>, DbError> {
    read.fetch_optional(FIND_ACCEPTED, args![template, sha256]).await
}

/// Imports in a state, in the order of their numbers.
pub async fn list(read: &Read<'_>, state: &str) -> Result<Vec<ImportRow>, DbError> {
    read.fetch_all(LIST, args![state]).await
}

/// Enters an import and gives it its number. Callers hold the lock of imports, so that numbers follow acceptance.
pub async fn begin(tx: &mut Tx, import: NewImport<'_>, now: Timestamp) -> Result<i64, DbError> {
    let values = args![import.id, import.template, import.file_name, import.sha256, now, import.client];
    tx.fetch_one::<SeqRow>(BEGIN, values).await.map(|row| row.seq)
}

/// Makes everything an import staged visible at once. An error unless it was staging.
pub async fn accept(tx: &mut Tx, seq: i64, counts: ImportCounts, now: Timestamp) -> Result<(), DbError> {
    let values = args![seq, counts.rows, counts.accepted, counts.rejected, now];
    match tx.execute(ACCEPT, values).await? {
        1 => Ok(()),
        _ => Err(DbError::corrupt(tx.operation(), format!("import {seq} is not staging"))),
    }
}

/// Marks an import as one that will never be accepted, so that its staged rows may be removed. An error if it was.
pub async fn discard(tx: &mut Tx, seq: i64) -> Result<(), DbError> {
    match tx.execute(DISCARD, args![seq]).await? {
        1 => Ok(()),
        _ => Err(DbError::corrupt(tx.operation(), format!("import {seq} is not staging"))),
    }
}

/// Marks a discarded import whose staged rows are gone.
pub async fn discarded(tx: &mut Tx, seq: i64) -> Result<(), DbError> {
    tx.execute(DISCARDED, args![seq]).await.map(|_| ())
}
