//! What an append checks and writes, a whole batch in each statement.
//!
//! Entries and heads are bound value by value: escaping and parsing long texts costs more than writing them.

use crate::{
    domain::Timestamp,
    store::{Column, DbError, Tx, args, record},
};

record! {
    struct PositionRow {
        position: i64,
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

/// What the answers of a batch rest on, column by column. The first subject of an answer stands in its own row; each
/// further one has a row with nothing but position, code and version.
#[derive(Debug, Default)]
pub struct HeadColumns {
    /// Which answer of the batch.
    pub position: Vec<i64>,
    /// The bank.
    pub client: Vec<Option<String>>,
    /// Its epoch.
    pub epoch: Vec<Option<i64>>,
    /// The consent.
    pub consent: Vec<Option<String>>,
    /// Its version.
    pub consent_version: Vec<Option<i64>>,
    /// The publication's number.
    pub publication: Vec<Option<i64>>,
    /// When the answer was rendered.
    pub rendered_at: Vec<Option<i64>>,
    /// A subject.
    pub subject: Vec<Option<String>>,
    /// Its version.
    pub subject_version: Vec<Option<i64>>,
}

/// One statement, and one snapshot, for all heads of the whole batch. Each is looked up by its key: for `EXISTS`
/// PostgreSQL would rather read a whole table of subjects once a batch.
const STALE_HEADS: &str = "/* ledger::stale_heads */ \
    SELECT column1 AS position FROM bound_rows WHERE \
    (column2 IS NOT NULL AND (\
        column3 IS DISTINCT FROM (SELECT clients.epoch FROM clients WHERE clients.id = column2 AND clients.state = 'active') \
        OR column5 IS DISTINCT FROM (SELECT consents.version FROM consents WHERE consents.id = column4 \
            AND consents.client_id = column2 AND consents.state = 'active' \
            AND consents.expires_at > column7 AND consents.expires_at > CAST($1 AS BIGINT)) \
        OR column6 IS DISTINCT FROM (SELECT publication.number FROM publication WHERE publication.id = 1))) \
    OR (column8 IS NOT NULL AND column9 IS DISTINCT FROM \
        (SELECT subjects.version FROM subjects WHERE subjects.code = column8))";

/// The positions of the answers whose heads are no longer what they were when these were rendered.
///
/// A statement of its own after the banks' locks: on PostgreSQL its snapshot is then younger than every narrowing that
/// had the locks before.
pub async fn stale_heads(tx: &mut Tx, heads: HeadColumns, now: Timestamp) -> Result<Vec<i64>, DbError> {
    let columns = vec![
        Column::Int(heads.position),
        Column::TextOpt(heads.client),
        Column::IntOpt(heads.epoch),
        Column::TextOpt(heads.consent),
        Column::IntOpt(heads.consent_version),
        Column::IntOpt(heads.publication),
        Column::IntOpt(heads.rendered_at),
        Column::TextOpt(heads.subject),
        Column::IntOpt(heads.subject_version),
    ];
    let stale: Vec<PositionRow> = tx.fetch_rows(STALE_HEADS, args![now], columns).await?;
    Ok(stale.into_iter().map(|row| row.position).collect())
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

/// Entries with their openings, column by column.
#[derive(Debug, Default)]
pub struct EntryColumns {
    /// The entry.
    pub id: Vec<String>,
    /// Its type.
    pub kind: Vec<String>,
    /// Its canonical JSON.
    pub body: Vec<String>,
    /// Its leaf hash.
    pub leaf: Vec<Vec<u8>>,
}

/// Openings, column by column.
#[derive(Debug, Default)]
pub struct OpeningColumns {
    /// The entry.
    pub id: Vec<String>,
    /// The bank it concerns.
    pub client: Vec<Option<String>>,
    /// The consent it concerns.
    pub consent: Vec<Option<String>>,
    /// Its canonical JSON.
    pub body: Vec<String>,
}

const INSERT_ENTRIES: &str = "/* ledger::insert_entries */ \
    INSERT INTO ledger_entries (id, type, body, leaf_hash, committed_at) \
    SELECT column1, column2, column3, column4, column5 FROM bound_rows";

const INSERT_UNSEALED: &str = "/* ledger::insert_unsealed */ \
    INSERT INTO ledger_unsealed (entry_id) SELECT column1 FROM bound_rows";

const INSERT_OPENINGS: &str = "/* ledger::insert_openings */ \
    INSERT INTO ledger_openings (entry_id, client_id, consent_id, body) \
    SELECT column1, column2, column3, column4 FROM bound_rows";

/// Adds entries, queues them for the sealer, and adds their openings; on PostgreSQL all of it in one statement.
pub async fn insert(
    tx: &mut Tx,
    entries: EntryColumns,
    openings: OpeningColumns,
    at: Timestamp,
) -> Result<(), DbError> {
    let ids = Column::Text(entries.id.clone());
    let at = Column::Int(vec![at.micros(); entries.id.len()]);
    let entries = vec![
        Column::Text(entries.id),
        Column::Text(entries.kind),
        Column::Text(entries.body),
        Column::Bytes(entries.leaf),
        at,
    ];
    let openings = vec![
        Column::Text(openings.id),
        Column::TextOpt(openings.client),
        Column::TextOpt(openings.consent),
        Column::Text(openings.body),
    ];
    tx.insert_rows(vec![(INSERT_ENTRIES, entries), (INSERT_UNSEALED, vec![ids]), (INSERT_OPENINGS, openings)]).await
}

const DELETE_OPENINGS: &str = "/* ledger::delete_openings */ \
    DELETE FROM ledger_openings WHERE entry_id IN (SELECT value->>'id' FROM json_rows($1))";

/// Erases openings; rows `{id}`. The serving role has no right to.
pub async fn delete_openings(tx: &mut Tx, rows: String) -> Result<u64, DbError> {
    tx.execute(DELETE_OPENINGS, args![rows]).await
}
