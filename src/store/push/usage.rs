//! The use made of the grades, counted.

use crate::{
    domain::Timestamp,
    store::{DbError, Read, args, record},
};

record! {
    /// How many consents about subjects of a kind had an event.
    pub struct UsageCountRow {
        pub kind: String,
        /// granted or revoked.
        pub event: String,
        pub consents: i64,
    }
}

// A consent that covers subjects of two kinds counts for both, and once for each.
const COUNT: &str = "/* push::count_usage */
    SELECT s.kind, e.event, COUNT(DISTINCT e.consent_id) AS consents FROM consent_events e
    JOIN consent_codes c ON c.consent_id = e.consent_id JOIN subjects s ON s.code = c.subject_code
    WHERE e.event IN ('granted', 'revoked') AND e.at >= $1 AND e.at < $2 GROUP BY s.kind, e.event ORDER BY s.kind, e.event";

/// The consents that were granted and revoked from one time until another, by kind.
pub async fn count(read: &Read<'_>, from: Timestamp, until: Timestamp) -> Result<Vec<UsageCountRow>, DbError> {
    read.fetch_all(COUNT, args![from, until]).await
}
