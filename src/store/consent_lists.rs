//! Consents as operators look for them.

use super::{Db, DbError, args, record};
use crate::domain::Timestamp;

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

const PAGE: &str = "/* consent_lists::page */
    SELECT c.id, c.client_id, k.name AS client, c.uscc, c.state, c.product, c.requested_at, c.request_expires_at, c.expires_at
    FROM consents c JOIN clients k ON k.id = c.client_id
    WHERE ($1 = '' OR c.id < $1) AND ($2 = '' OR c.client_id = $2) AND ($3 = '' OR c.state = $3)
      AND (CAST($4 AS BIGINT) IS NULL OR c.expires_at < CAST($4 AS BIGINT))
      AND ($5 = '' OR c.uscc = $5 OR EXISTS (SELECT 1 FROM consent_codes s WHERE s.consent_id = c.id AND s.subject_code = $5))
    ORDER BY c.id DESC LIMIT $6";

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
    pub limit: i64,
}

/// A page of consents, latest first.
pub async fn page(db: &Db, page: &ConsentPage<'_>) -> Result<Vec<ListedRow>, DbError> {
    let expires = page.expires_before.map(Timestamp::micros);
    let args = args![page.before, page.client, page.state, expires, page.subject, page.limit];
    db.read("consent_lists::page").fetch_all(PAGE, args).await
}
