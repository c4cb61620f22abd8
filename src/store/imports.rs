//! Imported files and their states.

use super::{
    DbError, Read, Tx, args,
    pair::{self, PairMark},
    record,
};
use crate::domain::Timestamp;

record! {
    /// An imported file.
    pub struct ImportRow {
        /// Its number, which orders the versions of a fact.
        pub seq: i64,
        pub id: String,
        pub template: String,
        /// The file name without its directory.
        pub file_name: String,
        /// SHA-256 of the file, hex.
        pub sha256: String,
        /// Number of rows without the header.
        pub row_count: i64,
        /// Number of accepted rows.
        pub accepted: i64,
        /// Number of rejected rows.
        pub rejected: i64,
        /// staging, accepted, discarding or discarded.
        pub state: String,
        pub started_at: i64,
        pub accepted_at: Option<i64>,
        /// The client that uploaded it; none when an operator imported it.
        pub client_id: Option<String>,
        /// How it was read; none for an import from before this was stored.
        pub options: Option<String>,
        /// Number of the import whose rows count instead.
        pub replaced_by: Option<i64>,
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
record! {
    struct NumberRow {
        number: i64,
    }
}

/// A new import.
#[derive(Debug, Clone, Copy)]
pub struct NewImport<'a> {
    pub id: &'a str,
    /// The client that uploads it, if any.
    pub client: Option<&'a str>,
    pub template: &'a str,
    /// The file's name without its directory.
    pub file_name: &'a str,
    /// The file's SHA-256, hex.
    pub sha256: &'a str,
    /// How it is read: with other options the same file is not recognised.
    pub options: &'a str,
}

/// The row counts of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportCounts {
    /// All rows, without the header.
    pub rows: i64,
    /// Accepted rows.
    pub accepted: i64,
    /// Rejected rows.
    pub rejected: i64,
}

const FIND_ACCEPTED: &str = "/* imports::find_accepted */
    SELECT seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at, accepted_at, client_id,
           options, replaced_by
    FROM imports WHERE template = $1 AND sha256 = $2 AND state = 'accepted' ORDER BY seq DESC LIMIT 1";
const FIND: &str = "/* imports::find */
    SELECT seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at, accepted_at, client_id,
           options, replaced_by
    FROM imports WHERE id = $1 OR CAST(seq AS TEXT) = $1";
const LATER: &str = "/* imports::later */
    SELECT COUNT(*) AS number FROM imports WHERE template = $1 AND seq > $2 AND state = 'accepted'";
const REPLACE: &str = "/* imports::replace */
    UPDATE imports SET replaced_by = $2 WHERE seq = $1 AND state = 'accepted' AND replaced_by IS NULL";
const LIST: &str = "/* imports::list */
    SELECT seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at, accepted_at, client_id,
           options, replaced_by
    FROM imports WHERE state = $1 ORDER BY seq";
// Numbers that are not under another: the newest first.
const PAGE: &str = "/* imports::page */
    SELECT seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at, accepted_at, client_id,
           options, replaced_by
    FROM imports WHERE seq < $1 AND ($2 = '' OR template = $2) AND ($3 = '' OR state = $3) ORDER BY seq DESC LIMIT $4";
// Computed under the imports lock, which keeps two imports from the same number.
const BEGIN: &str = "/* imports::begin */
    INSERT INTO imports (seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at,
                         client_id, options, identity)
    SELECT COALESCE(MAX(seq), 0) + 1, CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT),
           0, 0, 0, 'staging', CAST($5 AS BIGINT), CAST($6 AS TEXT), CAST($7 AS TEXT), 2
    FROM imports RETURNING seq";
// Only from staging: an import whose rows are being removed must not become visible.
const ACCEPT: &str = "/* imports::accept */
    UPDATE imports SET state = 'accepted', row_count = $2, accepted = $3, rejected = $4, accepted_at = $5
    WHERE seq = $1 AND state = 'staging'";
// Also from discarding: after a crash between its steps, the removal begins again.
const DISCARD: &str = "/* imports::discard */
    UPDATE imports SET state = 'discarding' WHERE seq = $1 AND state IN ('staging', 'discarding')";
const DISCARDED: &str =
    "/* imports::discarded */ UPDATE imports SET state = 'discarded' WHERE seq = $1 AND state = 'discarding'";

const INSERT_REPORT: &str = "/* imports::insert_report */
    INSERT INTO import_reports (import_id, client_id, body, made_at) VALUES ($1, $2, $3, $4)";
// The client is compared, too: a report quotes the file, and is for its sender alone.
const REPORT: &str = "/* imports::report */
    SELECT body FROM import_reports WHERE import_id = $1 AND client_id = $2";
const DELETE_REPORTS: &str = "/* imports::delete_reports */ DELETE FROM import_reports WHERE made_at < $1";

/// Inserts the report on an import for the client that uploaded it, JSON.
pub async fn insert_report(tx: &mut Tx, import: &str, client: &str, body: &str, now: Timestamp) -> Result<(), DbError> {
    tx.execute(INSERT_REPORT, args![import, client, body, now]).await.map(|_| ())
}

/// The report on an import for the client that uploaded it.
pub async fn report(read: &Read<'_>, import: &str, client: &str) -> Result<Option<String>, DbError> {
    read.fetch_optional::<BodyRow>(REPORT, args![import, client]).await.map(|row| row.map(|row| row.body))
}

/// Deletes reports made before a time.
pub async fn delete_reports(tx: &mut Tx, before: Timestamp) -> Result<u64, DbError> {
    tx.execute(DELETE_REPORTS, args![before]).await
}

/// An import by its id or its number.
pub async fn find(read: &Read<'_>, import: &str) -> Result<Option<ImportRow>, DbError> {
    read.fetch_optional(FIND, args![import]).await
}

/// Whether an import of a template was accepted after one.
pub async fn later(read: &Read<'_>, template: &str, seq: i64) -> Result<bool, DbError> {
    read.fetch_one::<NumberRow>(LATER, args![template, seq]).await.map(|row| row.number > 0)
}

/// Marks an import whose rows no longer count, because those of another one do. An error if it is replaced already.
pub async fn replace(tx: &mut Tx, seq: i64, by: i64) -> Result<(), DbError> {
    match tx.execute(REPLACE, args![seq, by]).await? {
        1 => Ok(()),
        _ => Err(DbError::corrupt(tx.operation(), format!("import {seq} is not one that can be replaced"))),
    }
}

/// The last accepted import of a file with a digest.
pub async fn find_accepted(read: &Read<'_>, template: &str, sha256: &str) -> Result<Option<ImportRow>, DbError> {
    read.fetch_optional(FIND_ACCEPTED, args![template, sha256]).await
}

/// Imports in a state, in the order of their numbers.
pub async fn list(read: &Read<'_>, state: &str) -> Result<Vec<ImportRow>, DbError> {
    read.fetch_all(LIST, args![state]).await
}

/// A page of imports before a number, latest first; of one template and state, or of all.
pub async fn page(
    read: &Read<'_>,
    before: i64,
    template: &str,
    state: &str,
    limit: i64,
) -> Result<Vec<ImportRow>, DbError> {
    read.fetch_all(PAGE, args![before, template, state, limit]).await
}

/// Inserts an import and returns its number. Callers hold the imports lock, so that numbers follow the order of acceptance.
pub async fn begin(tx: &mut Tx, import: NewImport<'_>, now: Timestamp) -> Result<i64, DbError> {
    let values = args![import.id, import.template, import.file_name, import.sha256, now, import.client, import.options];
    tx.fetch_one::<SeqRow>(BEGIN, values).await.map(|row| row.seq)
}

/// Makes all staged rows of an import visible together, of which those in bulk tables are marked already ([`pair::mark_bulk`]).
/// An error unless its state is staging.
pub async fn accept(
    tx: &mut Tx,
    seq: i64,
    counts: ImportCounts,
    mark: PairMark,
    now: Timestamp,
) -> Result<(), DbError> {
    pair::mark_core(tx, mark).await?;
    let values = args![seq, counts.rows, counts.accepted, counts.rejected, now];
    match tx.execute(ACCEPT, values).await? {
        1 => Ok(()),
        // No row: the import was discarded meanwhile, and its rows may be gone already.
        _ => Err(DbError::corrupt(tx.operation(), format!("import {seq} is not staging"))),
    }
}

/// Marks an import as one that will never be accepted, so that its staged rows may be removed. An error if it is accepted.
pub async fn discard(tx: &mut Tx, seq: i64) -> Result<(), DbError> {
    match tx.execute(DISCARD, args![seq]).await? {
        1 => Ok(()),
        _ => Err(DbError::corrupt(tx.operation(), format!("import {seq} is not staging"))),
    }
}

/// Marks a discarded import whose staged rows are removed.
pub async fn discarded(tx: &mut Tx, seq: i64) -> Result<(), DbError> {
    tx.execute(DISCARDED, args![seq]).await.map(|_| ())
}
