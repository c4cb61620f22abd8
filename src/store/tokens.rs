//! Revoked tokens, and assertions already used.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// A token revoked before it expired.
    pub struct RevokedTokenRow {
        pub token_id: String,
        pub client_id: String,
        pub expires_at: i64,
    }
}

const LIST_REVOKED: &str = "/* tokens::list_revoked */ SELECT token_id, client_id, expires_at FROM revoked_tokens";
const REVOKE: &str = "/* tokens::revoke */
    INSERT INTO revoked_tokens (token_id, client_id, expires_at, revoked_at) VALUES ($1, $2, $3, $4) ON CONFLICT (token_id) DO NOTHING";
// The insertion decides: of two gateways that get the same assertion, the unique key lets one through (K3).
const USE_ASSERTION: &str = "/* tokens::use_assertion */
    INSERT INTO used_assertions (client_id, assertion, expires_at) VALUES ($1, $2, $3) ON CONFLICT (client_id, assertion) DO NOTHING";
const DELETE_REVOKED: &str = "/* tokens::delete_revoked */ DELETE FROM revoked_tokens WHERE expires_at <= $1";
const DELETE_ASSERTIONS: &str = "/* tokens::delete_assertions */ DELETE FROM used_assertions WHERE expires_at <= $1";

/// The revoked tokens that are not deleted yet.
pub async fn list_revoked(db: &Db) -> Result<Vec<RevokedTokenRow>, DbError> {
    db.read("tokens::list_revoked").fetch_all(LIST_REVOKED, args![]).await
}

/// Revokes a token; `false` when it was already revoked.
pub async fn revoke(
    tx: &mut Tx,
    token: &str,
    client: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<bool, DbError> {
    tx.execute(REVOKE, args![token, client, expires_at, now]).await.map(|changed| changed == 1)
}

/// Marks an assertion's identifier as used; `false` when it was used before, on any gateway.
pub async fn use_assertion(tx: &mut Tx, client: &str, assertion: &str, expires_at: Timestamp) -> Result<bool, DbError> {
    tx.execute(USE_ASSERTION, args![client, assertion, expires_at]).await.map(|changed| changed == 1)
}

/// Deletes revoked tokens and used assertions that have expired.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64, DbError> {
    Ok(tx.execute(DELETE_REVOKED, args![now]).await? + tx.execute(DELETE_ASSERTIONS, args![now]).await?)
}
