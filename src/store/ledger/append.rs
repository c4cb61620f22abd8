//! What an append checks and writes, a whole batch in each statement.
//!
//! Entries and heads are bound value by value: escaping and parsing long texts costs more than writing them.

use crate::{
    domain::Timestamp,
    store::{Column, Db, DbError, Tx, args, record},
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

/// What the answers of a batch rest on, column by column. Each bank has a row with a position below nought, its id and its
/// epoch. Each answer has one with its position from nought, bank, consent, publication, and its first subject; each further
/// subject has a row with nothing but position, code and version.
#[derive(Debug, Default)]
pub struct HeadColumns {
    /// Which answer of the batch, or which of its banks.
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

/// A row of [`HeadColumns`].
#[derive(Debug, Default)]
pub struct HeadRow {
    /// See [`HeadColumns::position`].
    pub position: i64,
    /// The bank.
    pub client: Option<String>,
    /// Its epoch.
    pub epoch: Option<i64>,
    /// The consent, its version, the publication, and when the answer was rendered.
    pub consent: Option<(String, i64, i64, Timestamp)>,
    /// A subject with its version.
    pub subject: Option<(String, i64)>,
}

impl HeadColumns {
    /// Adds a row.
    pub fn push(&mut self, row: HeadRow) {
        self.position.push(row.position);
        self.client.push(row.client);
        self.epoch.push(row.epoch);
        let (id, version, publication, at) =
            row.consent.map_or((None, None, None, None), |(id, version, publication, at)| {
                (Some(id), Some(version), Some(publication), Some(at.micros()))
            });
        self.consent.push(id);
        self.consent_version.push(version);
        self.publication.push(publication);
        self.rendered_at.push(at);
        let (code, version) = row.subject.map_or((None, None), |(code, version)| (Some(code), Some(version)));
        self.subject.push(code);
        self.subject_version.push(version);
    }

    /// With the time of the commit, as near as can be told before it, for rows to be compared at.
    fn at(self, now: Timestamp) -> Vec<Column> {
        let now = Column::Int(vec![now.micros(); self.position.len()]);
        self.into_columns().into_iter().chain([now]).collect()
    }

    fn into_columns(self) -> Vec<Column> {
        vec![
            Column::Int(self.position),
            Column::TextOpt(self.client),
            Column::IntOpt(self.epoch),
            Column::TextOpt(self.consent),
            Column::IntOpt(self.consent_version),
            Column::IntOpt(self.publication),
            Column::IntOpt(self.rendered_at),
            Column::TextOpt(self.subject),
            Column::IntOpt(self.subject_version),
        ]
    }
}

/// One statement, and one snapshot, for all heads of the whole batch. Each is looked up by its key, and the rest is said of
/// the row that was found: for `EXISTS` PostgreSQL would rather read a whole table of subjects once a batch.
const STALE_HEADS: &str = "/* ledger::stale_heads */ \
    SELECT column1 AS position FROM bound_rows WHERE \
    (column3 IS NOT NULL AND column3 IS DISTINCT FROM \
        (SELECT CASE WHEN clients.state = 'active' THEN clients.epoch END FROM clients WHERE clients.id = column2)) \
    OR (column4 IS NOT NULL AND (\
        column5 IS DISTINCT FROM (SELECT CASE WHEN consents.client_id = column2 AND consents.state = 'active' \
            AND consents.expires_at > column7 AND consents.expires_at > column10 THEN consents.version END \
            FROM consents WHERE consents.id = column4) \
        OR column6 IS DISTINCT FROM (SELECT publication.number FROM publication WHERE publication.id = 1))) \
    OR (column8 IS NOT NULL AND column9 IS DISTINCT FROM \
        (SELECT subjects.version FROM subjects WHERE subjects.code = column8))";

/// The positions of the rows that no longer hold what they held when the answers were rendered.
///
/// A statement of its own after the banks' locks: on PostgreSQL its snapshot is then younger than every narrowing that
/// had the locks before.
pub async fn stale_heads(tx: &mut Tx, heads: HeadColumns, now: Timestamp) -> Result<Vec<i64>, DbError> {
    let stale: Vec<PositionRow> = tx.fetch_rows(STALE_HEADS, Vec::new(), heads.at(now)).await?;
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

impl EntryColumns {
    fn into_columns(self) -> Vec<Column> {
        vec![Column::Text(self.id), Column::Text(self.kind), Column::Text(self.body), Column::Bytes(self.leaf)]
    }
}

impl OpeningColumns {
    /// Without the entries they belong to.
    fn into_columns(self) -> Vec<Column> {
        vec![Column::TextOpt(self.client), Column::TextOpt(self.consent), Column::Text(self.body)]
    }
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
    tx.insert_rows(insertions(entries, openings, at)).await
}

/// Entries, their places in the queue, and openings.
fn insertions(entries: EntryColumns, mut openings: OpeningColumns, at: Timestamp) -> Vec<(&'static str, Vec<Column>)> {
    let ids = Column::Text(entries.id.clone());
    let at = Column::Int(vec![at.micros(); entries.id.len()]);
    let mut entries = entries.into_columns();
    entries.push(at);
    let of = Column::Text(std::mem::take(&mut openings.id));
    let openings = std::iter::once(of).chain(openings.into_columns()).collect();
    vec![(INSERT_ENTRIES, entries), (INSERT_UNSEALED, vec![ids]), (INSERT_OPENINGS, openings)]
}

/// `migrations/postgres/0013_ledger_one_turn.sql` does what [`STALE_HEADS`] and [`insert`] do, under the banks' locks.
const RECORD: &str = "/* ledger::record */ SELECT UNNEST(record_disclosures(\
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)) AS position";

/// Locks the banks, compares what the answers rest on, and adds entries, queue and openings of those that are not stale:
/// all of it one statement and one transaction, durable on return. PostgreSQL only. Returns the positions of the stale rows.
///
/// Each answer has an entry with its opening, in the order of positions, and the position of its bank's row in `banks`.
pub async fn record(
    db: &Db,
    (heads, banks): (HeadColumns, Vec<i64>),
    entries: EntryColumns,
    openings: OpeningColumns,
    now: Timestamp,
) -> Result<Vec<i64>, DbError> {
    let mut columns = heads.into_columns();
    columns.push(Column::Int(banks));
    columns.extend(entries.into_columns().into_iter().chain(openings.into_columns()));
    let stale: Vec<PositionRow> = db.change_at_once("ledger.record", RECORD, args![now], columns).await?;
    Ok(stale.into_iter().map(|row| row.position).collect())
}

/// Compares what the answers rest on and adds entries, queue and openings: one turn of the writer's thread and one
/// transaction, durable on return. SQLite only. Where anything is stale, or there are many, nothing is added: the answer is no.
pub async fn record_unless_stale(
    db: &Db,
    heads: HeadColumns,
    entries: EntryColumns,
    openings: OpeningColumns,
    now: Timestamp,
) -> Result<bool, DbError> {
    db.insert_unless("ledger.record", (STALE_HEADS, heads.at(now)), insertions(entries, openings, now)).await
}

const DELETE_OPENINGS: &str = "/* ledger::delete_openings */ \
    DELETE FROM ledger_openings WHERE entry_id IN (SELECT value->>'id' FROM json_rows($1))";

/// Erases openings; rows `{id}`. The serving role has no right to.
pub async fn delete_openings(tx: &mut Tx, rows: String) -> Result<u64, DbError> {
    tx.execute(DELETE_OPENINGS, args![rows]).await
}
