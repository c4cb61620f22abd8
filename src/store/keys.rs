//! Private keys, sealed, and what became of each.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// A key at rest.
    pub struct KeyRow {
        /// `key_…`, bound into the seal.
        pub id: String,
        /// What it is for, bound into the seal.
        pub purpose: String,
        /// Its suite's name.
        pub suite: String,
        /// SubjectPublicKeyInfo, DER.
        pub public_key: Vec<u8>,
        /// PKCS#8, sealed.
        pub sealed_private: Vec<u8>,
        /// active | retired | revoked.
        pub state: String,
        /// When it was made.
        pub created_at: i64,
        /// Since when it no longer signs.
        pub retired_at: Option<i64>,
        /// Since when it is good for nothing.
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
const RESEAL: &str = "/* keys::reseal */ UPDATE keys SET sealed_private = $2 WHERE id = $1";

/// Every key, the oldest first.
pub async fn list(db: &Db) -> Result<Vec<KeyRow>, DbError> {
    db.read("keys::list").fetch_all(LIST, args![]).await
}

/// Every key, inside a transaction that is going to change some.
pub async fn list_in(tx: &mut Tx) -> Result<Vec<KeyRow>, DbError> {
    tx.fetch_all(LIST, args![]).await
}

/// The key that signs for a purpose.
pub async fn find_active(db: &Db, purpose: &str) -> Result<Option<KeyRow>, DbError> {
    db.read("keys::find_active").fetch_optional(FIND_ACTIVE, args![purpose]).await
}

/// The key that signs for a purpose, inside a transaction.
pub async fn find_active_in(tx: &mut Tx, purpose: &str) -> Result<Option<KeyRow>, DbError> {
    tx.fetch_optional(FIND_ACTIVE, args![purpose]).await
}

/// Adds an active key; refused while its purpose has one.
pub async fn insert(tx: &mut Tx, row: &KeyRow) -> Result<(), DbError> {
    let args =
        args![&row.id, &row.purpose, &row.suite, row.public_key.clone(), row.sealed_private.clone(), row.created_at];
    tx.execute(INSERT, args).await.map(|_| ())
}

/// Lets the active key of a purpose sign no more; it stays published. `false` where there was none.
pub async fn retire(tx: &mut Tx, purpose: &str, at: Timestamp) -> Result<bool, DbError> {
    tx.execute(RETIRE, args![purpose, at]).await.map(|changed| changed == 1)
}

/// Makes a key good for nothing. `false` where it is unknown or was revoked before.
pub async fn revoke(tx: &mut Tx, id: &str, at: Timestamp) -> Result<bool, DbError> {
    tx.execute(REVOKE, args![id, at]).await.map(|changed| changed == 1)
}

/// Replaces a sealed private key by the same one sealed anew.
pub async fn reseal(tx: &mut Tx, id: &str, sealed_private: &[u8]) -> Result<(), DbError> {
    tx.execute(RESEAL, args![id, sealed_private]).await.map(|_| ())
}
