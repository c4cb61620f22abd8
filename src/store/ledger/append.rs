//! What an append compares and writes, a whole batch in each statement.
//!
//! Entries and versions are bound value by value: escaping and parsing long texts costs more than writing them.

use super::servers;
use crate::{
    domain::Timestamp,
    store::{Column, Db, DbError, RowStatement, Tx, args, record, syncs},
};

record! {
    struct PositionRow {
        position: i64,
    }
}

record! {
    struct IdRow {
        id: String,
    }
}

record! {
    /// The use of a consent, read under a lock that lasts until the transaction ends.
    pub struct UseRow {
        pub consent_id: String,
        /// Answers given in total.
        pub used: i64,
        /// The last day on which an answer was given.
        pub day: String,
        /// Answers given on that day.
        pub used_today: i64,
    }
}

/// A consent as it was when an answer was rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentVersion {
    pub id: String,
    pub version: i64,
    /// The publication's number at that time.
    pub publication: i64,
    /// When the answer was rendered.
    pub rendered_at: Timestamp,
}

/// A subject's file as it was when an answer was rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectVersion {
    pub code: String,
    pub version: i64,
}

/// One row to compare. Each bank of a batch has a row with a negative position, its id and its epoch. Each answer has a row
/// with its position, counted from 0, its bank, its consent and its first subject; each further subject has a row with
/// nothing but the position and the subject.
#[derive(Debug, Clone, Default)]
pub struct VersionRow {
    /// The answer's place in the batch, or a negative number for a bank.
    pub position: i64,
    pub client: Option<String>,
    /// The bank's epoch.
    pub epoch: Option<i64>,
    pub consent: Option<ConsentVersion>,
    pub subject: Option<SubjectVersion>,
}

/// The versions that the answers of a batch rest on: [`VersionRow`]s, column by column.
#[derive(Debug, Clone, Default)]
pub struct VersionColumns {
    positions: Vec<i64>,
    clients: Vec<Option<String>>,
    epochs: Vec<Option<i64>>,
    consents: Vec<Option<String>>,
    consent_versions: Vec<Option<i64>>,
    publications: Vec<Option<i64>>,
    rendered_at: Vec<Option<i64>>,
    subjects: Vec<Option<String>>,
    subject_versions: Vec<Option<i64>>,
}

impl VersionColumns {
    /// Adds a row.
    pub fn push(&mut self, row: VersionRow) {
        self.positions.push(row.position);
        self.clients.push(row.client);
        self.epochs.push(row.epoch);
        self.consent_versions.push(row.consent.as_ref().map(|consent| consent.version));
        self.publications.push(row.consent.as_ref().map(|consent| consent.publication));
        self.rendered_at.push(row.consent.as_ref().map(|consent| consent.rendered_at.micros()));
        self.consents.push(row.consent.map(|consent| consent.id));
        self.subject_versions.push(row.subject.as_ref().map(|subject| subject.version));
        self.subjects.push(row.subject.map(|subject| subject.code));
    }

    /// The columns of [`STALE_VERSIONS`]; `now` is as near to the time of the commit as is known before it.
    fn into_columns_at(self, now: Timestamp) -> Vec<Column> {
        // A column and not a parameter: texts of several statements bind rows only.
        let now = Column::int("moment", vec![now.micros(); self.positions.len()]);
        self.into_columns().into_iter().chain([now]).collect()
    }

    fn into_columns(self) -> Vec<Column> {
        vec![
            Column::int("position", self.positions),
            Column::text_opt("client", self.clients),
            Column::int_opt("epoch", self.epochs),
            Column::text_opt("consent", self.consents),
            Column::int_opt("consent_version", self.consent_versions),
            Column::int_opt("publication", self.publications),
            Column::int_opt("rendered_at", self.rendered_at),
            Column::text_opt("subject", self.subjects),
            Column::int_opt("subject_version", self.subject_versions),
        ]
    }
}

/// One statement, and one snapshot, for the versions of the whole batch. Each row is looked up by its key in a scalar
/// subquery: for `EXISTS` PostgreSQL would rather read the whole table of subjects once a batch.
/// `migrations/postgres/0015_answers_counted.sql` makes the same comparison (a test holds the two together).
const STALE_VERSIONS: &str = "/* ledger::stale_versions */ \
    SELECT bound.position AS position FROM bound_rows WHERE \
    (bound.epoch IS NOT NULL AND bound.epoch IS DISTINCT FROM \
        (SELECT CASE WHEN c.state = 'active' THEN c.epoch END FROM clients c WHERE c.id = bound.client)) \
    OR (bound.consent IS NOT NULL AND (\
        bound.consent_version IS DISTINCT FROM (SELECT CASE WHEN g.client_id = bound.client AND g.state = 'active' \
            AND g.expires_at > bound.rendered_at AND g.expires_at > bound.moment THEN g.version END \
            FROM consents g WHERE g.id = bound.consent) \
        OR bound.publication IS DISTINCT FROM (SELECT p.number FROM publication p WHERE p.id = 1))) \
    OR (bound.subject IS NOT NULL AND bound.subject_version IS DISTINCT FROM \
        (SELECT s.version FROM subjects s WHERE s.code = bound.subject))";

/// What a gateway knows of the ledger from elsewhere: an append compares it with the database, which may have been turned
/// back by a failover since.
#[derive(Debug, Clone, Default)]
pub struct KnownLedger {
    /// The epoch that the gateway records in.
    pub epoch: Option<i64>,
    /// Entries that the gateway saw committed.
    pub entries: Vec<String>,
}

impl KnownLedger {
    /// The columns of [`BEHIND`].
    fn into_columns(self) -> Vec<Column> {
        let entries = self.entries.into_iter().map(|entry| (None, Some(entry)));
        let rows: Vec<_> = entries.chain(self.epoch.map(|epoch| (Some(epoch), None))).collect();
        let positions = vec![HISTORY_BEHIND; rows.len()];
        let (epochs, entries) = rows.into_iter().unzip();
        vec![
            Column::int("position", positions),
            Column::int_opt("ledger_epoch", epochs),
            Column::text_opt("entry", entries),
        ]
    }
}

/// The position that reports that the database lacks what the gateway knows: none of an answer or a bank.
pub const HISTORY_BEHIND: i64 = -1_000_000_000;

/// `migrations/postgres/0014_history.sql` makes the same comparison.
const BEHIND: &str = "/* ledger::behind */ \
    SELECT bound.position AS position FROM bound_rows WHERE \
    (bound.ledger_epoch IS NOT NULL AND bound.ledger_epoch IS DISTINCT FROM \
        (SELECT COALESCE(MAX(e.epoch), bound.ledger_epoch) FROM ledger_epochs e)) \
    OR (bound.entry IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ledger_entries l WHERE l.id = bound.entry))";

/// Whether the database lacks what the gateway knows, or may lack what another one does: the gateways have not agreed on its
/// server.
pub async fn is_behind(tx: &mut Tx, known: KnownLedger) -> Result<bool, DbError> {
    if !servers::is_agreed_in(tx).await? {
        return Ok(true);
    }
    let lacking: Vec<PositionRow> = tx.fetch_rows(BEHIND, Vec::new(), known.into_columns()).await?;
    Ok(!lacking.is_empty())
}

/// The positions of the rows that are no longer as they were when the answers were rendered.
///
/// A statement of its own after the banks' locks: on PostgreSQL its snapshot is then younger than every change that held
/// the locks before and narrowed access.
pub async fn stale_versions(tx: &mut Tx, versions: VersionColumns, now: Timestamp) -> Result<Vec<i64>, DbError> {
    let stale: Vec<PositionRow> = tx.fetch_rows(STALE_VERSIONS, Vec::new(), versions.into_columns_at(now)).await?;
    Ok(stale.into_iter().map(|row| row.position).collect())
}

// `WHERE true` keeps SQLite from reading `ON CONFLICT` as the condition of a join.
/// The rows are sorted so that two batches cannot deadlock; the update that changes nothing locks the row and reads what
/// the transaction before this one committed.
const LOCK_USE: &str = "/* ledger::lock_use */ \
    INSERT INTO consent_use (consent_id, used, day, used_today) \
    SELECT value->>'consent', 0, value->>'day', 0 FROM json_rows($1) WHERE true ORDER BY 1 \
    ON CONFLICT (consent_id) DO UPDATE SET used = consent_use.used RETURNING consent_id, used, day, used_today";

/// Locks the use of consents and returns it; rows `{consent, day}`, each consent once.
pub async fn lock_use(tx: &mut Tx, rows: String) -> Result<Vec<UseRow>, DbError> {
    tx.fetch_all(LOCK_USE, args![rows]).await
}

// The rows are locked since they were read, so no other transaction has counted in between.
const SET_USE: &str = "/* ledger::set_use */ \
    UPDATE consent_use SET used = CAST(value->>'used' AS BIGINT), day = value->>'day', \
    used_today = CAST(value->>'used_today' AS BIGINT) FROM json_rows($1) WHERE consent_use.consent_id = value->>'consent'";

/// Writes the new use of locked consents; rows `{consent, used, day, used_today}`.
pub async fn set_use(tx: &mut Tx, rows: String) -> Result<(), DbError> {
    tx.execute(SET_USE, args![rows]).await.map(|_| ())
}

/// Entries, column by column.
#[derive(Debug, Clone, Default)]
pub struct EntryColumns {
    /// Their ids.
    pub id: Vec<String>,
    /// Their types.
    pub kind: Vec<String>,
    /// Their canonical JSON.
    pub body: Vec<String>,
    /// Their leaf hashes.
    pub leaf: Vec<Vec<u8>>,
}

/// Openings, column by column.
#[derive(Debug, Clone, Default)]
pub struct OpeningColumns {
    /// The entries they belong to.
    pub id: Vec<String>,
    /// The bank of each.
    pub client: Vec<Option<String>>,
    /// The consent of each.
    pub consent: Vec<Option<String>>,
    /// Their canonical JSON.
    pub body: Vec<String>,
}

/// Entries with their openings.
#[derive(Debug, Clone, Default)]
pub struct EntryRows {
    pub entries: EntryColumns,
    /// Their openings; an entry may have none.
    pub openings: OpeningColumns,
}

/// The answers of a batch: what they rest on and what is recorded of them.
#[derive(Debug, Clone, Default)]
pub struct BatchRows {
    /// What the database must have, or nothing is recorded.
    pub known: KnownLedger,
    /// The versions to compare.
    pub versions: VersionColumns,
    /// For each answer the position of its bank's row in `versions`.
    pub bank_positions: Vec<i64>,
    /// For each answer its entry with an opening.
    pub rows: EntryRows,
}

impl EntryColumns {
    fn into_columns(self) -> Vec<Column> {
        vec![
            Column::text("id", self.id),
            Column::text("kind", self.kind),
            Column::text("body", self.body),
            Column::bytes("leaf", self.leaf),
        ]
    }
}

impl OpeningColumns {
    /// The columns without the entries' ids.
    fn into_columns(self) -> Vec<Column> {
        vec![
            Column::text_opt("client", self.client),
            Column::text_opt("consent", self.consent),
            Column::text("body", self.body),
        ]
    }
}

const INSERT_ENTRIES: &str = "/* ledger::insert_entries */ \
    INSERT INTO ledger_entries (id, type, body, leaf_hash, committed_at) \
    SELECT bound.id, bound.kind, bound.body, bound.leaf, bound.moment FROM bound_rows";

// A table of its own and not a column of the entries: entries are never updated.
const INSERT_UNSEALED: &str = "/* ledger::insert_unsealed */ \
    INSERT INTO ledger_unsealed (entry_id) SELECT bound.id FROM bound_rows";

// Apart from the entries, so that an opening can be erased while its entry stays in the tree.
const INSERT_OPENINGS: &str = "/* ledger::insert_openings */ \
    INSERT INTO ledger_openings (entry_id, client_id, consent_id, body) \
    SELECT bound.id, bound.client, bound.consent, bound.body FROM bound_rows";

// One row for each answer, and so as many as there are openings: an upsert takes them one after the other. Not for
// PostgreSQL, which refuses to change a row twice in one statement.
const COUNT_USES: &str = "/* ledger::count_uses */ \
    INSERT INTO consent_use (consent_id, used, day, used_today) \
    SELECT bound.consent, 1, bound.day, 1 FROM bound_rows ON CONFLICT (consent_id) DO UPDATE SET \
    used = consent_use.used + 1, day = MAX(consent_use.day, excluded.day), \
    used_today = CASE WHEN excluded.day > consent_use.day THEN 1 ELSE consent_use.used_today + 1 END";

/// Adds entries, queues them for the sealer, and adds their openings; on PostgreSQL all of it in one statement. Answers are
/// counted apart ([`set_use`]).
pub async fn insert(tx: &mut Tx, rows: EntryRows, at: Timestamp) -> Result<(), DbError> {
    tx.insert_rows(insertions(rows, at)).await
}

fn insertions(rows: EntryRows, at: Timestamp) -> Vec<RowStatement> {
    let EntryRows { entries, mut openings } = rows;
    // Copied: the ids go into two statements.
    let unsealed = vec![Column::text("id", entries.id.clone())];
    let moment = Column::int("moment", vec![at.micros(); entries.id.len()]);
    let opened = Column::text("id", std::mem::take(&mut openings.id));
    let entries = entries.into_columns().into_iter().chain([moment]).collect();
    let openings = std::iter::once(opened).chain(openings.into_columns()).collect();
    // Entries first: queue and openings refer to them by foreign keys.
    vec![
        RowStatement { sql: INSERT_ENTRIES, columns: entries },
        RowStatement { sql: INSERT_UNSEALED, columns: unsealed },
        RowStatement { sql: INSERT_OPENINGS, columns: openings },
    ]
}

/// First the server is compared with the one that the gateways agreed on, as in [`is_behind`]; -1000000000 is [`HISTORY_BEHIND`].
/// Then `migrations/postgres/0014_history.sql` makes the comparison of [`BEHIND`], and calls the function of
/// `0015_answers_counted.sql`, which does what [`STALE_VERSIONS`], [`insert`] and [`COUNT_USES`] do, under the banks' locks. The
/// statement is its own transaction: like those that begin with a statement of their own, it is acknowledged only when it is
/// on disk, and fails while the server does not sync what it commits.
const RECORD: &str = concat!(
    "/* ledger::record */ SELECT UNNEST(CASE WHEN core.is_agreed_server() THEN record_known_disclosures(\
     ledger_epoch => $1, moment => $2, known => $3, positions => $4, clients => $5, epochs => $6, consents => $7, \
     consent_versions => $8, publications => $9, rendered => $10, subjects => $11, subject_versions => $12, banks => $13, \
     ids => $14, types => $15, bodies => $16, leaves => $17, opening_clients => $18, opening_consents => $19, \
     openings => $20) ELSE ARRAY[-1000000000::BIGINT] END) AS position \
     FROM (SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') \
         WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true) AS commits WHERE ",
    syncs!(),
    ") AS durable"
);

/// Locks the banks, compares what the answers rest on, adds entries, queue and openings of those that are not stale, and
/// counts them: one statement and one transaction, durable on return. PostgreSQL only. Returns the positions of the stale
/// rows, or only [`HISTORY_BEHIND`].
pub async fn record(db: &Db, batch: BatchRows, now: Timestamp) -> Result<Vec<i64>, DbError> {
    let BatchRows { known, versions, bank_positions, rows } = batch;
    // In the order of the function's parameters, which follow `moment`.
    let mut columns = vec![Column::text("known", known.entries)];
    columns.extend(versions.into_columns());
    columns.push(Column::int("bank", bank_positions));
    columns.extend(rows.entries.into_columns().into_iter().chain(rows.openings.into_columns()));
    let args = args![known.epoch, now];
    let stale: Vec<PositionRow> = db.change_single_roundtrip("ledger.record", RECORD, args, columns).await?;
    Ok(stale.into_iter().map(|row| row.position).collect())
}

/// Compares what the answers rest on, adds entries, queue and openings, and counts the answers: one call to the writer's
/// thread and one transaction, durable on return of `true`. SQLite only. `false` where a row is stale, the database lacks
/// what the gateway knows, or there are too many answers: nothing is added then.
pub async fn record_unless_stale(db: &Db, batch: BatchRows, now: Timestamp) -> Result<bool, DbError> {
    let stale = RowStatement { sql: STALE_VERSIONS, columns: batch.versions.into_columns_at(now) };
    let behind = RowStatement { sql: BEHIND, columns: batch.known.into_columns() };
    let consents: Vec<String> = batch.rows.openings.consent.iter().flatten().cloned().collect();
    let days = vec![now.day().to_string(); consents.len()];
    let columns = vec![Column::text("consent", consents), Column::text("day", days)];
    let mut insertions = insertions(batch.rows, now);
    insertions.push(RowStatement { sql: COUNT_USES, columns });
    db.insert_unless("ledger.record", [stale, behind], insertions).await
}

const FIND: &str = "/* ledger::find_entries */ \
    SELECT id FROM ledger_entries WHERE id IN (SELECT value->>'id' FROM json_few_rows($1))";

/// Which of some entries the database has; rows `{id}`.
pub async fn find_entries(db: &Db, rows: String) -> Result<Vec<String>, DbError> {
    let found: Vec<IdRow> = db.read("ledger.find_entries").fetch_all(FIND, args![rows]).await?;
    Ok(found.into_iter().map(|row| row.id).collect())
}

const DELETE_OPENINGS: &str = "/* ledger::delete_openings */ \
    DELETE FROM ledger_openings WHERE entry_id IN (SELECT value->>'id' FROM json_rows($1))";

/// Erases openings; rows `{id}`. The serving role has no right to do so.
pub async fn delete_openings(tx: &mut Tx, rows: String) -> Result<u64, DbError> {
    tx.execute(DELETE_OPENINGS, args![rows]).await
}
