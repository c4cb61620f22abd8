//! What an append checks and writes, a whole batch in each statement.
//!
//! Each statement takes its rows as one JSON array: binding values row by row costs more than writing them. The callers
//! make the arrays, so that the text of a row can be made before the transaction begins.

use crate::{
    domain::Timestamp,
    store::{DbError, Tx, args, record},
};

record! {
    struct IdRow {
        id: String,
    }
}

record! {
    /// What a consent has used, read under a lock that lasts until the transaction ends.
    pub struct UseRow {
        /// The consent.
        pub consent_id: String,
        /// Answers given altogether.
        pub used: i64,
        /// The last day on which one was given.
        pub day: String,
        /// Answers given on that day.
        pub used_today: i64,
    }
}

/// Rows of two kinds: `{e, client, epoch, consent, cv, pub, now}` once for each entry, and `{e, code, sv}` for each
/// subject it speaks about. CASE keeps each kind to its own comparisons.
const STALE_HEADS: &str = "/* ledger::stale_heads */ \
    SELECT DISTINCT value->>'e' AS id FROM json_rows($1) WHERE CASE WHEN value->>'code' IS NULL THEN \
    NOT (EXISTS (SELECT 1 FROM clients WHERE clients.id = value->>'client' \
            AND clients.epoch = CAST(value->>'epoch' AS BIGINT) AND clients.state = 'active') \
        AND EXISTS (SELECT 1 FROM consents WHERE consents.id = value->>'consent' \
            AND consents.client_id = value->>'client' AND consents.version = CAST(value->>'cv' AS BIGINT) \
            AND consents.state = 'active' AND consents.expires_at > CAST(value->>'now' AS BIGINT) \
            AND consents.expires_at > CAST($2 AS BIGINT)) \
        AND EXISTS (SELECT 1 FROM publication WHERE publication.number = CAST(value->>'pub' AS BIGINT))) \
    ELSE NOT EXISTS (SELECT 1 FROM subjects WHERE subjects.code = value->>'code' \
            AND subjects.version = CAST(value->>'sv' AS BIGINT)) END";

/// The ids of the entries whose heads are no longer what they were when the answer was rendered.
///
/// A statement of its own after the banks' locks: on PostgreSQL its snapshot is then younger than every narrowing that
/// had the locks before.
pub async fn stale_heads(tx: &mut Tx, rows: String, now: Timestamp) -> Result<Vec<String>, DbError> {
    let stale: Vec<IdRow> = tx.fetch_all(STALE_HEADS, args![rows, now]).await?;
    Ok(stale.into_iter().map(|row| row.id).collect())
}

/// The rows are sorted so that two batches cannot wait for each other; the update that changes nothing locks the row and
/// reads what the transaction before this one committed.
const LOCK_USE: &str = "/* ledger::lock_use */ \
    INSERT INTO consent_use (consent_id, used, day, used_today) \
    SELECT value->>'consent', 0, value->>'day', 0 FROM json_rows($1) WHERE true ORDER BY 1 \
    ON CONFLICT (consent_id) DO UPDATE SET used = consent_use.used RETURNING consent_id, used, day, used_today";

/// What consents have used, locked; rows `{consent, day}`, each consent once.
pub async fn lock_use(tx: &mut Tx, rows: String) -> Result<Vec<UseRow>, DbError> {
    tx.fetch_all(LOCK_USE, args![rows]).await
}

const SET_USE: &str = "/* ledger::set_use */ \
    UPDATE consent_use SET used = CAST(value->>'used' AS BIGINT), day = value->>'day', \
    used_today = CAST(value->>'used_today' AS BIGINT) FROM json_rows($1) WHERE consent_use.consent_id = value->>'consent'";

/// Writes what locked consents have used now; rows `{consent, used, day, used_today}`.
pub async fn set_use(tx: &mut Tx, rows: String) -> Result<(), DbError> {
    tx.execute(SET_USE, args![rows]).await.map(|_| ())
}

const INSERT_ENTRIES: &str = "/* ledger::insert_entries */ \
    INSERT INTO ledger_entries (id, type, body, leaf_hash, committed_at) \
    SELECT value->>'id', value->>'type', value->>'body', unhex(value->>'leaf'), CAST($2 AS BIGINT) FROM json_rows($1)";

/// Adds entries; rows `{id, type, body, leaf}`.
pub async fn insert_entries(tx: &mut Tx, rows: String, at: Timestamp) -> Result<u64, DbError> {
    tx.execute(INSERT_ENTRIES, args![rows, at]).await
}

const INSERT_OPENINGS: &str = "/* ledger::insert_openings */ \
    INSERT INTO ledger_openings (entry_id, client_id, consent_id, body) \
    SELECT value->>'id', value->>'client', value->>'consent', value->>'body' FROM json_rows($1)";

/// Adds openings; rows `{id, client, consent, body}`.
pub async fn insert_openings(tx: &mut Tx, rows: String) -> Result<u64, DbError> {
    tx.execute(INSERT_OPENINGS, args![rows]).await
}

const INSERT_UNSEALED: &str = "/* ledger::insert_unsealed */ \
    INSERT INTO ledger_unsealed (entry_id) SELECT value->>'id' FROM json_rows($1)";

/// Queues entries for the sealer; rows `{id}`.
pub async fn insert_unsealed(tx: &mut Tx, rows: String) -> Result<u64, DbError> {
    tx.execute(INSERT_UNSEALED, args![rows]).await
}

const DELETE_OPENINGS: &str = "/* ledger::delete_openings */ \
    DELETE FROM ledger_openings WHERE entry_id IN (SELECT value->>'id' FROM json_rows($1))";

/// Erases openings; rows `{id}`. The serving role has no right to.
pub async fn delete_openings(tx: &mut Tx, rows: String) -> Result<u64, DbError> {
    tx.execute(DELETE_OPENINGS, args![rows]).await
}
