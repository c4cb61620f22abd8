//! Responses stored under a client's `Idempotency-Key`, so that a request sent twice creates once. They contain no disclosed
//! data: data answers are never stored.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// A stored response. Key and request are SHA-256 digests, base64url, so that the bank's own text is not stored.
    pub struct StoredResponseRow {
        pub client_id: String,
        pub key: String,
        pub request: String,
        pub status: i64,
        pub location: String,
        pub body: String,
        pub created_at: i64,
    }
}

// Age is judged when a response is read, because expired ones are deleted only later.
const FIND: &str = "/* idempotency::find */
    SELECT client_id, key, request, status, location, body, created_at FROM idempotency_keys
    WHERE client_id = $1 AND key = $2 AND created_at > $3";
const DELETE_EXPIRED: &str = "/* idempotency::delete_expired */
    DELETE FROM idempotency_keys WHERE client_id = $1 AND key = $2 AND created_at <= $3";
// Of two gateways with one request the second waits for the first's commit, and then inserts nothing.
const INSERT: &str = "/* idempotency::insert */
    INSERT INTO idempotency_keys (client_id, key, request, status, location, body, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (client_id, key) DO NOTHING";
const DELETE_OLDER: &str = "/* idempotency::delete_older */ DELETE FROM idempotency_keys WHERE created_at <= $1";

/// The response stored under a client's key since an instant.
pub async fn find(db: &Db, client: &str, key: &str, since: Timestamp) -> Result<Option<StoredResponseRow>, DbError> {
    db.read("idempotency::find").fetch_optional(FIND, args![client, key, since]).await
}

/// Inserts a response in the transaction that creates its resource, replacing one older than `since`; `false` when a newer
/// one is stored.
pub async fn insert(tx: &mut Tx, row: &StoredResponseRow, since: Timestamp) -> Result<bool, DbError> {
    // An expired response still occupies its key, and the insertion below would do nothing.
    tx.execute(DELETE_EXPIRED, args![&row.client_id, &row.key, since]).await?;
    let args = args![&row.client_id, &row.key, &row.request, row.status, &row.location, &row.body, row.created_at];
    tx.execute(INSERT, args).await.map(|inserted| inserted == 1)
}

/// Deletes responses older than `since`.
pub async fn delete_older(tx: &mut Tx, since: Timestamp) -> Result<u64, DbError> {
    tx.execute(DELETE_OLDER, args![since]).await
}
