//! Answers kept under a client's `Idempotency-Key`, so that a request sent twice creates once. Nothing here was disclosed:
//! data answers are never kept.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// An answer that is kept. Key and request are SHA-256, base64url: what a bank wrote into them is not.
    pub struct KeptRow {
        pub client_id: String,
        pub key: String,
        pub request: String,
        pub status: i64,
        pub location: String,
        pub body: String,
        pub created_at: i64,
    }
}

const FIND: &str = "/* idempotency::find */
    SELECT client_id, key, request, status, location, body, created_at FROM idempotency_keys
    WHERE client_id = $1 AND key = $2 AND created_at > $3";
const FORGET_ONE: &str = "/* idempotency::forget_one */
    DELETE FROM idempotency_keys WHERE client_id = $1 AND key = $2 AND created_at <= $3";
const KEEP: &str = "/* idempotency::keep */
    INSERT INTO idempotency_keys (client_id, key, request, status, location, body, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (client_id, key) DO NOTHING";
const FORGET: &str = "/* idempotency::forget */ DELETE FROM idempotency_keys WHERE created_at <= $1";

/// The answer kept under a client's key since an instant.
pub async fn find(db: &Db, client: &str, key: &str, since: Timestamp) -> Result<Option<KeptRow>, DbError> {
    db.read("idempotency::find").fetch_optional(FIND, args![client, key, since]).await
}

/// Keeps an answer with what it says was created, in place of one that is older than `since`; `false` where one is kept
/// already.
pub async fn keep(tx: &mut Tx, row: &KeptRow, since: Timestamp) -> Result<bool, DbError> {
    tx.execute(FORGET_ONE, args![&row.client_id, &row.key, since]).await?;
    let args = args![&row.client_id, &row.key, &row.request, row.status, &row.location, &row.body, row.created_at];
    tx.execute(KEEP, args).await.map(|kept| kept == 1)
}

/// Forgets answers older than `since`.
pub async fn forget(tx: &mut Tx, since: Timestamp) -> Result<u64, DbError> {
    tx.execute(FORGET, args![since]).await
}
