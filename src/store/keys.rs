//! Sealed private keys and their states.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// A key at rest.
    pub struct KeyRow {
        /// `key_…`, bound into the seal.
        pub id: String,
        /// Authenticated by the seal, like the id.
        pub purpose: String,
        pub suite: String,
        /// SubjectPublicKeyInfo, DER.
        pub public_key: Vec<u8>,
        pub sealed_private: Vec<u8>,
        /// active | retired | revoked.
        pub state: String,
        pub created_at: i64,
        /// When it ceased to sign.
        pub retired_at: Option<i64>,
        pub revoked_at: Option<i64>,
    }
}

const LIST: &str = "/* keys::list */
    SELECT id, purpose, suite, public_key, sealed_private, state, created_at, retired_at, revoked_at
    FROM keys ORDER BY created_at, id";
const FIND_ACTIVE: &str = "/* keys::find_active */
    SELECT id, purpose, suite, public_key, sealed_private, state, created_at, retired_at, revoked_at
    FROM keys WHERE purpose = $1 AND state = 'active'";
const INSERT: &str = "/* keys::insert */
    INSERT INTO keys (id, purpose, suite, public_key, sealed_private, state, created_at, retired_at, revoked_at)
    VALUES ($1, $2, $3, $4, $5, 'active', $6, NULL, NULL)";
const RETIRE: &str = "/* keys::retire */
    UPDATE keys SET state = 'retired', retired_at = $2 WHERE purpose = $1 AND state = 'active'";
const REVOKE: &str = "/* keys::revoke */
    UPDATE keys SET state = 'revoked', revoked_at = $2 WHERE id = $1 AND state <> 'revoked'";
// Only the sealed bytes change: id and purpose are bound into the seal and stay as they are.
const RESEAL: &str = "/* keys::reseal */ UPDATE keys SET sealed_private = $2 WHERE id = $1";

/// Every key, the oldest first.
pub async fn list(db: &Db) -> Result<Vec<KeyRow>, DbError> {
    db.read("keys::list").fetch_all(LIST, args![]).await
}

/// [`list`] inside a transaction that will change keys.
pub async fn list_in(tx: &mut Tx) -> Result<Vec<KeyRow>, DbError> {
    tx.fetch_all(LIST, args![]).await
}

/// The key that signs for a purpose.
pub async fn find_active(db: &Db, purpose: &str) -> Result<Option<KeyRow>, DbError> {
    db.read("keys::find_active").fetch_optional(FIND_ACTIVE, args![purpose]).await
}

/// [`find_active`] inside a transaction.
pub async fn find_active_in(tx: &mut Tx, purpose: &str) -> Result<Option<KeyRow>, DbError> {
    tx.fetch_optional(FIND_ACTIVE, args![purpose]).await
}

/// Inserts an active key; fails while its purpose has one.
pub async fn insert(tx: &mut Tx, row: &KeyRow) -> Result<(), DbError> {
    let args =
        args![&row.id, &row.purpose, &row.suite, row.public_key.clone(), row.sealed_private.clone(), row.created_at];
    tx.execute(INSERT, args).await.map(|_| ())
}

/// Retires the active key of a purpose: it no longer signs and remains published. `false` when there was none.
pub async fn retire(tx: &mut Tx, purpose: &str, at: Timestamp) -> Result<bool, DbError> {
    tx.execute(RETIRE, args![purpose, at]).await.map(|changed| changed == 1)
}

/// Revokes a key. `false` when it is unknown or already revoked.
pub async fn revoke(tx: &mut Tx, id: &str, at: Timestamp) -> Result<bool, DbError> {
    tx.execute(REVOKE, args![id, at]).await.map(|changed| changed == 1)
}

/// Replaces a sealed private key by the same key sealed again.
pub async fn reseal(tx: &mut Tx, id: &str, sealed_private: &[u8]) -> Result<(), DbError> {
    tx.execute(RESEAL, args![id, sealed_private]).await.map(|_| ())
}
