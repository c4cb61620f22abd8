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
        /// next | active | retired | revoked.
        pub state: String,
        pub created_at: i64,
        /// When it ceased to sign.
        pub retired_at: Option<i64>,
        pub revoked_at: Option<i64>,
    }
}

record! {
    struct ValueRow {
        value: String,
    }
}

/// The row of the settings with the key-encryption keys that each gateway has.
const HOLDERS: &str = "key_encryption_key_holders";
const FIND_HOLDERS: &str = "/* keys::holders */ SELECT value FROM settings WHERE name = $1";
const CREATE_HOLDERS: &str = "/* keys::create_holders */
    INSERT INTO settings (name, value) VALUES ($1, '[]') ON CONFLICT (name) DO NOTHING";
// Changes nothing: it takes the row's lock, so that of two gateways none overwrites what the other reports.
const LOCK_HOLDERS: &str = "/* keys::lock_holders */ UPDATE settings SET value = value WHERE name = $1";
const SET_HOLDERS: &str = "/* keys::set_holders */ UPDATE settings SET value = $2 WHERE name = $1";

const LIST: &str = "/* keys::list */
    SELECT id, purpose, suite, public_key, sealed_private, state, created_at, retired_at, revoked_at
    FROM keys ORDER BY created_at, id";
const FIND_ACTIVE: &str = "/* keys::find_active */
    SELECT id, purpose, suite, public_key, sealed_private, state, created_at, retired_at, revoked_at
    FROM keys WHERE purpose = $1 AND state = 'active'";
const INSERT: &str = "/* keys::insert */
    INSERT INTO keys (id, purpose, suite, public_key, sealed_private, state, created_at, retired_at, revoked_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL)";
const ACTIVATE: &str = "/* keys::activate */ UPDATE keys SET state = 'active' WHERE id = $1 AND state = 'next'";
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

/// Inserts a key; an active one fails while its purpose has one.
pub async fn insert(tx: &mut Tx, row: &KeyRow) -> Result<(), DbError> {
    let args = args![
        &row.id,
        &row.purpose,
        &row.suite,
        row.public_key.clone(),
        row.sealed_private.clone(),
        &row.state,
        row.created_at
    ];
    tx.execute(INSERT, args).await.map(|_| ())
}

/// Lets a published key sign; fails while its purpose has an active key. `false` when it is not a next key any more.
pub async fn activate(tx: &mut Tx, id: &str) -> Result<bool, DbError> {
    tx.execute(ACTIVATE, args![id]).await.map(|changed| changed == 1)
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

/// Which key-encryption keys each gateway reported to have, as [`set_holders`] stored it; locked until the transaction
/// ends.
pub async fn lock_holders(tx: &mut Tx) -> Result<String, DbError> {
    tx.execute(CREATE_HOLDERS, args![HOLDERS]).await?;
    tx.execute(LOCK_HOLDERS, args![HOLDERS]).await?;
    tx.fetch_one::<ValueRow>(FIND_HOLDERS, args![HOLDERS]).await.map(|row| row.value)
}

/// Stores which key-encryption keys each gateway has.
pub async fn set_holders(tx: &mut Tx, holders: &str) -> Result<(), DbError> {
    tx.execute(SET_HOLDERS, args![HOLDERS, holders]).await.map(|_| ())
}
