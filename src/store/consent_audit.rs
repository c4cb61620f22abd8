//! Consents with everything that belongs to them, page by page, for a verification that compares them with the ledger.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    Db, DbError, args,
    consents::{self, ConsentRow, EventRow},
    record,
};

record! {
    /// The counted answers of a consent.
    pub struct CountedRow {
        pub consent_id: String,
        /// Answers given in total.
        pub used: i64,
        /// The last day on which an answer was given.
        pub day: String,
        /// Answers given on that day.
        pub used_today: i64,
    }
}

/// A consent as the tables have it.
#[derive(Debug, Clone)]
pub struct StoredConsent {
    pub row: ConsentRow,
    /// The codes it covers, in order.
    pub codes: Vec<String>,
    /// Its transitions, in order.
    pub events: Vec<EventRow>,
    /// Its counted answers; none when there was none.
    pub counted: Option<CountedRow>,
}

const EVENTS_OF: &str = "/* consents::events_of */
    SELECT consent_id, version, event, actor, channel, reason, evidence_sha256, changes, at FROM consent_events
    WHERE consent_id IN (SELECT value->>'id' FROM json_rows($1)) ORDER BY consent_id, version";
const COUNTED: &str = "/* consents::counted */
    SELECT consent_id, used, day, used_today FROM consent_use WHERE consent_id IN (SELECT value->>'id' FROM json_rows($1))";

/// A page of consents, after an id. The events and the count of a consent are read after its row: they may be newer, and
/// are never older.
pub async fn page(db: &Db, after: &str, limit: i64) -> Result<Vec<StoredConsent>, DbError> {
    let rows = consents::list_all(db, after, limit).await?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let id_rows = serde_json::Value::from(ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>()).to_string();
    let mut codes = consents::codes_of(db, &ids).await?;
    let events: Vec<EventRow> = db.read("consents::events_of").fetch_all(EVENTS_OF, args![&id_rows]).await?;
    let mut events_by_consent = BTreeMap::<String, Vec<EventRow>>::new();
    for event in events {
        events_by_consent.entry(event.consent_id.clone()).or_default().push(event);
    }
    let counted: Vec<CountedRow> = db.read("consents::counted").fetch_all(COUNTED, args![&id_rows]).await?;
    let mut counted: BTreeMap<String, CountedRow> =
        counted.into_iter().map(|row| (row.consent_id.clone(), row)).collect();
    let stored = rows.into_iter().map(|row| StoredConsent {
        codes: codes.remove(&row.id).unwrap_or_default(),
        events: events_by_consent.remove(&row.id).unwrap_or_default(),
        counted: counted.remove(&row.id),
        row,
    });
    Ok(stored.collect())
}
