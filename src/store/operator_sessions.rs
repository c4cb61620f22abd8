//! Sessions of operators in the console.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// A session.
    pub struct SessionRow {
        pub id: String,
        /// SHA-256 of the cookie's value, hex.
        pub token_digest: String,
        pub operator_id: String,
        pub created_at: i64,
        /// The last request, to half a minute.
        pub seen_at: i64,
        pub address: String,
        pub agent: String,
    }
}

record! {
    /// A session with its operator.
    pub struct ActiveSessionRow {
        pub id: String,
        pub operator_id: String,
        pub name: String,
        pub created_at: i64,
        pub seen_at: i64,
    }
}

// Ended sessions are removed, and the state is compared all the same: the row of the operator decides.
const FIND: &str = "/* operator_sessions::find */
    SELECT s.id, s.operator_id, o.name, s.created_at, s.seen_at FROM operator_sessions s
    JOIN operators o ON o.id = s.operator_id
    WHERE s.token_digest = $1 AND s.seen_at > $2 AND s.created_at > $3 AND o.state = 'active'";

/// The session of a token, of an active operator, that was seen and created since.
pub async fn find(
    db: &Db,
    token_digest: &str,
    seen_after: Timestamp,
    created_after: Timestamp,
) -> Result<Option<ActiveSessionRow>, DbError> {
    let args = args![token_digest, seen_after, created_after];
    db.read("operator_sessions::find").fetch_optional(FIND, args).await
}

const LIST: &str = "/* operator_sessions::list */
    SELECT id, token_digest, operator_id, created_at, seen_at, address, agent FROM operator_sessions
    WHERE operator_id = $1 AND seen_at > $2 AND created_at > $3 ORDER BY created_at, id";

/// The sessions of an operator that were seen and created since, oldest first.
pub async fn list(
    db: &Db,
    operator: &str,
    seen_after: Timestamp,
    created_after: Timestamp,
) -> Result<Vec<SessionRow>, DbError> {
    let args = args![operator, seen_after, created_after];
    db.read("operator_sessions::list").fetch_all(LIST, args).await
}

const INSERT: &str = "/* operator_sessions::insert */
    INSERT INTO operator_sessions (id, token_digest, operator_id, created_at, seen_at, address, agent)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// Inserts a session.
pub async fn insert(tx: &mut Tx, row: &SessionRow) -> Result<(), DbError> {
    let args =
        args![&row.id, &row.token_digest, &row.operator_id, row.created_at, row.seen_at, &row.address, &row.agent];
    tx.execute(INSERT, args).await.map(|_| ())
}

const TOUCH: &str = "/* operator_sessions::touch */
    UPDATE operator_sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2";

/// Notes a request; nothing for a session that has ended.
pub async fn touch(tx: &mut Tx, id: &str, now: Timestamp) -> Result<(), DbError> {
    tx.execute(TOUCH, args![id, now]).await.map(|_| ())
}

const END: &str = "/* operator_sessions::end */ DELETE FROM operator_sessions WHERE operator_id = $1 AND id = $2";

/// Ends a session of an operator; `false` when it has no such session.
pub async fn end(tx: &mut Tx, operator: &str, id: &str) -> Result<bool, DbError> {
    Ok(tx.execute(END, args![operator, id]).await? == 1)
}

const END_ALL: &str = "/* operator_sessions::end_all */ DELETE FROM operator_sessions WHERE operator_id = $1";

/// Ends every session of an operator, and returns how many there were.
pub async fn end_all(tx: &mut Tx, operator: &str) -> Result<u64, DbError> {
    tx.execute(END_ALL, args![operator]).await
}

const DELETE_EXPIRED: &str = "/* operator_sessions::delete_expired */
    DELETE FROM operator_sessions WHERE seen_at <= $1 OR created_at <= $2";

/// Deletes sessions that were last seen, or created, no later than these instants.
pub async fn delete_expired(tx: &mut Tx, seen: Timestamp, created: Timestamp) -> Result<u64, DbError> {
    tx.execute(DELETE_EXPIRED, args![seen, created]).await
}
