//! Consents: their current state, the codes they cover, every transition, and the fetches used.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// The current state of a consent.
    pub struct ConsentRow {
        pub id: String,
        pub version: i64,
        pub client_id: String,
        pub uscc: String,
        pub state: String,
        pub permissions: String,
        pub purposes: String,
        pub product: String,
        pub reference: Option<String>,
        pub data_from: String,
        pub data_to: String,
        pub max_fetches: Option<i64>,
        pub daily_budget: Option<i64>,
        pub text_sha256: Option<String>,
        pub text_version: Option<String>,
        pub signer: Option<String>,
        pub channel: Option<String>,
        pub status_reason: Option<String>,
        pub requested_at: i64,
        pub request_expires_at: i64,
        pub granted_at: Option<i64>,
        pub expires_at: Option<i64>,
        pub ended_at: Option<i64>,
    }
}

record! {
    /// One transition.
    pub struct EventRow {
        pub consent_id: String,
        pub version: i64,
        pub event: String,
        pub actor: String,
        pub channel: String,
        pub reason: Option<String>,
        pub evidence_sha256: Option<String>,
        pub changes: String,
        pub at: i64,
    }
}

impl ConsentRow {
    /// The values that decide what the consent allows, by the names under which its events record them.
    pub fn terms(&self) -> [(&'static str, Value); 11] {
        [
            ("state", json!(self.state)),
            ("permissions", json!(self.permissions)),
            ("purposes", json!(self.purposes)),
            ("data_from", json!(self.data_from)),
            ("data_to", json!(self.data_to)),
            ("max_fetches", json!(self.max_fetches)),
            ("daily_budget", json!(self.daily_budget)),
            ("expires_at", json!(self.expires_at)),
            ("text_sha256", json!(self.text_sha256)),
            ("signer", json!(self.signer)),
            ("text_version", json!(self.text_version)),
        ]
    }
}

record! {
    /// Fetches used so far.
    pub struct UseRow {
        pub used: i64,
        pub day: String,
        pub used_today: i64,
    }
}

record! {
    struct CodeRow {
        subject_code: String,
    }
}

record! {
    struct CoveredRow {
        consent_id: String,
        subject_code: String,
    }
}

record! {
    struct CountRow {
        number: i64,
    }
}

record! {
    struct IdRow {
        id: String,
    }
}

record! {
    /// The legal entity that a subject belongs to.
    pub struct OwnerRow {
        pub code: String,
        pub uscc: Option<String>,
    }
}

record! {
    /// The parts of a consent that must be unchanged for a token limited to it.
    pub struct StandingRow {
        pub id: String,
        pub version: i64,
        pub client_id: String,
        pub state: String,
        pub expires_at: Option<i64>,
    }
}

macro_rules! columns {
    ($head:literal, $tail:literal) => {
        concat!(
            $head,
            " SELECT id, version, client_id, uscc, state, permissions, purposes, product, reference, data_from, data_to, max_fetches, daily_budget,",
            " text_sha256, text_version, signer, channel, status_reason, requested_at, request_expires_at, granted_at, expires_at, ended_at FROM consents ",
            $tail
        )
    };
}

const FIND: &str = columns!("/* consents::find */", "WHERE id = $1");
const LIST_OF_CLIENT: &str =
    columns!("/* consents::list_of_client */", "WHERE client_id = $1 AND id > $2 ORDER BY id LIMIT $3");
const LIST_ALL: &str = columns!("/* consents::list_all */", "WHERE id > $1 ORDER BY id LIMIT $2");
// Judged by the caller's instant and not by the state alone: no sweeper marks a consent at the moment it expires (C3).
const IN_FORCE: &str = columns!(
    "/* consents::in_force */",
    "WHERE client_id = $1 AND id > $2 AND state = 'active' AND expires_at > $3 ORDER BY id LIMIT $4"
);
// The client is part of the condition, so that another bank's consent looks like one that does not exist (C7).
const FIND_MANY: &str = columns!(
    "/* consents::find_many */",
    "WHERE id IN (SELECT value->>'id' FROM json_rows($1)) AND client_id = $2 ORDER BY id"
);
// Ordered, because the codes of a consent are sorted wherever they are read.
const CODES_OF: &str = "/* consents::codes_of */
    SELECT consent_id, subject_code FROM consent_codes WHERE consent_id IN (SELECT value->>'id' FROM json_rows($1)) ORDER BY consent_id, subject_code";
const CODES: &str =
    "/* consents::codes */ SELECT subject_code FROM consent_codes WHERE consent_id = $1 ORDER BY subject_code";
const STANDINGS: &str = "/* consents::standings */
    SELECT id, version, client_id, state, expires_at FROM consents WHERE id IN (SELECT value->>'id' FROM json_rows($1))";
// Planned for few rows: each code is looked up by its key, and the table is not scanned.
const OWNERS: &str =
    "/* consents::owners */ SELECT s.code, s.uscc FROM json_few_rows($1) JOIN subjects s ON s.code = value->>'code'";
// Requests past their end do not count, also while they are not marked as expired yet (C3).
const COUNT_PENDING: &str = "/* consents::count_pending */
    SELECT count(*) AS number FROM consents WHERE client_id = $1 AND state = 'pending' AND request_expires_at > $2";
// At most 500 a sweep: the rest is due at the next, and no check of a consent depends on when (C3).
const DUE: &str = "/* consents::due */
    SELECT id FROM consents WHERE (state IN ('active', 'suspended') AND expires_at <= $1) OR (state = 'pending' AND request_expires_at <= $1) ORDER BY id LIMIT 500";
const INSERT: &str = "/* consents::insert */
    INSERT INTO consents (id, version, client_id, uscc, state, permissions, purposes, product, reference, data_from, data_to, max_fetches, daily_budget,
        text_sha256, text_version, signer, channel, status_reason, requested_at, request_expires_at, granted_at, expires_at, ended_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)";
// The version is compared and not locked: of two transitions from the same version, the second changes no row.
const UPDATE: &str = "/* consents::update */
    UPDATE consents SET version = $3, state = $4, permissions = $5, purposes = $6, data_from = $7, data_to = $8, max_fetches = $9, daily_budget = $10,
        text_sha256 = $11, text_version = $12, signer = $13, channel = $14, status_reason = $15, granted_at = $16, expires_at = $17, ended_at = $18
    WHERE id = $1 AND version = $2";
const INSERT_CODES: &str = "/* consents::insert_codes */
    INSERT INTO consent_codes (consent_id, subject_code) SELECT value->>'consent', value->>'code' FROM json_rows($1)";
const INSERT_EVENT: &str = "/* consents::insert_event */
    INSERT INTO consent_events (consent_id, version, event, actor, channel, reason, evidence_sha256, changes, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const EVENTS: &str = "/* consents::events */
    SELECT consent_id, version, event, actor, channel, reason, evidence_sha256, changes, at FROM consent_events WHERE consent_id = $1 ORDER BY version";
const HAS_EVIDENCE: &str = "/* consents::has_evidence */
    SELECT count(*) AS number FROM consent_events WHERE consent_id = $1 AND evidence_sha256 = $2";
const USE: &str = "/* consents::find_use */ SELECT used, day, used_today FROM consent_use WHERE consent_id = $1";

/// The consent with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<ConsentRow>, DbError> {
    db.read("consents::find").fetch_optional(FIND, args![id]).await
}

/// [`find`] inside a transaction that will change the consent.
pub async fn find_in(tx: &mut Tx, id: &str) -> Result<Option<ConsentRow>, DbError> {
    tx.fetch_optional(FIND, args![id]).await
}

/// A page of a client's consents, after an id.
pub async fn list_of_client(db: &Db, client: &str, after: &str, limit: i64) -> Result<Vec<ConsentRow>, DbError> {
    db.read("consents::list_of_client").fetch_all(LIST_OF_CLIENT, args![client, after, limit]).await
}

/// A page of all consents, after an id.
pub async fn list_all(db: &Db, after: &str, limit: i64) -> Result<Vec<ConsentRow>, DbError> {
    db.read("consents::list_all").fetch_all(LIST_ALL, args![after, limit]).await
}

/// A page of a client's consents that are in force at an instant, after an id.
pub async fn in_force(
    db: &Db,
    client: &str,
    after: &str,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ConsentRow>, DbError> {
    db.read("consents::in_force").fetch_all(IN_FORCE, args![client, after, now, limit]).await
}

/// Several consents of a client, by id.
pub async fn find_many(db: &Db, client: &str, ids: &[String]) -> Result<Vec<ConsentRow>, DbError> {
    db.read("consents::find_many").fetch_all(FIND_MANY, args![id_rows(ids), client]).await
}

/// The codes several consents cover, in order.
pub async fn codes_of(db: &Db, ids: &[String]) -> Result<BTreeMap<String, Vec<String>>, DbError> {
    let rows: Vec<CoveredRow> = db.read("consents::codes_of").fetch_all(CODES_OF, args![id_rows(ids)]).await?;
    let mut codes = BTreeMap::<String, Vec<String>>::new();
    for row in rows {
        codes.entry(row.consent_id).or_default().push(row.subject_code);
    }
    Ok(codes)
}

fn id_rows(ids: &[String]) -> String {
    let rows: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
    Value::from(rows).to_string()
}

/// The codes a consent covers, in order.
pub async fn codes(db: &Db, id: &str) -> Result<Vec<String>, DbError> {
    let rows: Vec<CodeRow> = db.read("consents::codes").fetch_all(CODES, args![id]).await?;
    Ok(rows.into_iter().map(|row| row.subject_code).collect())
}

/// [`codes`] inside a transaction.
pub async fn codes_in(tx: &mut Tx, id: &str) -> Result<Vec<String>, DbError> {
    let rows: Vec<CodeRow> = tx.fetch_all(CODES, args![id]).await?;
    Ok(rows.into_iter().map(|row| row.subject_code).collect())
}

/// The states of several consents.
pub async fn standings(db: &Db, ids: &[String]) -> Result<Vec<StandingRow>, DbError> {
    db.read("consents::standings").fetch_all(STANDINGS, args![id_rows(ids)]).await
}

/// The legal entities of subjects; unknown codes are left out.
pub async fn owners(db: &Db, codes: &[String]) -> Result<Vec<OwnerRow>, DbError> {
    let rows: Vec<_> = codes.iter().map(|code| json!({ "code": code })).collect();
    db.read("consents::owners").fetch_all(OWNERS, args![Value::from(rows).to_string()]).await
}

/// The number of a client's pending requests.
pub async fn count_pending(tx: &mut Tx, client: &str, now: Timestamp) -> Result<i64, DbError> {
    tx.fetch_one::<CountRow>(COUNT_PENDING, args![client, now]).await.map(|row| row.number)
}

/// Consents that have expired and are not marked as expired yet.
pub async fn due(db: &Db, now: Timestamp) -> Result<Vec<String>, DbError> {
    let rows: Vec<IdRow> = db.read("consents::due").fetch_all(DUE, args![now]).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Inserts a consent with the codes it covers.
pub async fn insert(tx: &mut Tx, row: &ConsentRow, codes: &[String]) -> Result<(), DbError> {
    let args = args![
        &row.id,
        row.version,
        &row.client_id,
        &row.uscc,
        &row.state,
        &row.permissions,
        &row.purposes,
        &row.product,
        row.reference.clone(),
        &row.data_from,
        &row.data_to,
        row.max_fetches,
        row.daily_budget,
        row.text_sha256.clone(),
        row.text_version.clone(),
        row.signer.clone(),
        row.channel.clone(),
        row.status_reason.clone(),
        row.requested_at,
        row.request_expires_at,
        row.granted_at,
        row.expires_at,
        row.ended_at,
    ];
    tx.execute(INSERT, args).await?;
    let rows: Vec<_> = codes.iter().map(|code| json!({ "consent": row.id, "code": code })).collect();
    tx.execute(INSERT_CODES, args![Value::from(rows).to_string()]).await.map(|_| ())
}

/// Writes a consent's new state if its version is still the one that was read; `false` when another transition came first.
pub async fn update(tx: &mut Tx, row: &ConsentRow, from_version: i64) -> Result<bool, DbError> {
    let args = args![
        &row.id,
        from_version,
        row.version,
        &row.state,
        &row.permissions,
        &row.purposes,
        &row.data_from,
        &row.data_to,
        row.max_fetches,
        row.daily_budget,
        row.text_sha256.clone(),
        row.text_version.clone(),
        row.signer.clone(),
        row.channel.clone(),
        row.status_reason.clone(),
        row.granted_at,
        row.expires_at,
        row.ended_at,
    ];
    tx.execute(UPDATE, args).await.map(|changed| changed == 1)
}

/// Inserts a transition.
pub async fn insert_event(tx: &mut Tx, row: &EventRow) -> Result<(), DbError> {
    let args = args![
        &row.consent_id,
        row.version,
        &row.event,
        &row.actor,
        &row.channel,
        row.reason.clone(),
        row.evidence_sha256.clone(),
        &row.changes,
        row.at,
    ];
    tx.execute(INSERT_EVENT, args).await.map(|_| ())
}

/// Every transition of a consent, in order.
pub async fn events(db: &Db, id: &str) -> Result<Vec<EventRow>, DbError> {
    db.read("consents::events").fetch_all(EVENTS, args![id]).await
}

/// Whether an event of a consent rests on this evidence.
pub async fn has_evidence(tx: &mut Tx, id: &str, sha256: &str) -> Result<bool, DbError> {
    let row: Option<CountRow> = tx.fetch_optional(HAS_EVIDENCE, args![id, sha256]).await?;
    Ok(row.is_some_and(|row| row.number > 0))
}

/// The fetches used; none when there was none.
pub async fn find_use(db: &Db, id: &str) -> Result<Option<UseRow>, DbError> {
    db.read("consents::find_use").fetch_optional(USE, args![id]).await
}
