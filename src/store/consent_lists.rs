//! Consents as operators look for them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Db, DbError, args, record};
use crate::domain::{Region, Timestamp};

record! {
    /// The number of consents in a state.
    pub struct StateCountRow {
        pub state: String,
        pub number: i64,
    }
}

record! {
    /// A consent in a list.
    pub struct ListedRow {
        pub id: String,
        pub client_id: String,
        pub client: String,
        pub uscc: String,
        pub state: String,
        pub product: String,
        pub requested_at: i64,
        pub request_expires_at: i64,
        pub expires_at: Option<i64>,
    }
}

// By the instant and not by the state alone: no sweeper marks a consent at the moment it expires (C3).
const COUNTS: &str = "/* consent_lists::counts */
    SELECT counted.state, CAST(count(*) AS BIGINT) AS number FROM
    (SELECT CASE WHEN state = 'pending' AND request_expires_at <= $1 THEN 'expired'
                 WHEN state IN ('active', 'suspended') AND expires_at <= $1 THEN 'expired' ELSE state END AS state
     FROM consents WHERE $2 = '' OR client_id = $2) AS counted GROUP BY counted.state";

/// The number of consents by their state at an instant: of one client, or of all.
pub async fn counts(db: &Db, client: &str, now: Timestamp) -> Result<Vec<StateCountRow>, DbError> {
    db.read("consent_lists::counts").fetch_all(COUNTS, args![now, client]).await
}

// For an operator of some regions: only consents of which every subject is registered there.
const PAGE: &str = "/* consent_lists::page */
    WITH own AS MATERIALIZED (SELECT value->>0 AS region FROM json_rows($1))
    SELECT c.id, c.client_id, k.name AS client, c.uscc, c.state, c.product, c.requested_at, c.request_expires_at, c.expires_at
    FROM consents c JOIN clients k ON k.id = c.client_id
    WHERE ($2 = '' OR c.id < $2) AND ($3 = '' OR c.client_id = $3) AND ($4 = '' OR c.state = $4)
      AND (CAST($5 AS BIGINT) IS NULL OR c.expires_at < CAST($5 AS BIGINT))
      AND ($6 = '' OR c.uscc = $6 OR EXISTS (SELECT 1 FROM consent_codes s WHERE s.consent_id = c.id AND s.subject_code = $6))
      AND (CAST($7 AS BIGINT) = 0 OR NOT EXISTS (
           SELECT 1 FROM consent_codes s LEFT JOIN subjects u ON u.code = s.subject_code
           WHERE s.consent_id = c.id AND NOT EXISTS (
               SELECT 1 FROM own WHERE own.region IN (u.region, substr(u.region, 1, 4) || '00', substr(u.region, 1, 2) || '0000'))))
    ORDER BY c.id DESC LIMIT $8";

/// The criteria of a page of consents; empty ones match everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConsentPage<'a> {
    /// The id before which the page begins.
    pub before: &'a str,
    pub client: &'a str,
    pub state: &'a str,
    /// The validity ends before this instant.
    pub expires_before: Option<Timestamp>,
    /// The code of a subject, or of its entity.
    pub subject: &'a str,
    /// The regions of which the operator sees consents; none for all.
    pub regions: Option<&'a BTreeSet<Region>>,
    pub limit: i64,
}

/// A page of consents, latest first.
pub async fn page(db: &Db, page: &ConsentPage<'_>) -> Result<Vec<ListedRow>, DbError> {
    let expires = page.expires_before.map(Timestamp::micros);
    let regions = page.regions.into_iter().flatten().map(|region| json!([region.as_str()])).collect::<Vec<_>>();
    let (regions, is_limited) = (Value::from(regions).to_string(), i64::from(page.regions.is_some()));
    let args = args![regions, page.before, page.client, page.state, expires, page.subject, is_limited, page.limit];
    db.read("consent_lists::page").fetch_all(PAGE, args).await
}
