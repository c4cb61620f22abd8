//! Clients: banks and departments, with the certificate identity they are registered under.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// A registered client.
    pub struct ClientRow {
        pub id: String,
        pub name: String,
        pub kind: String,
        pub authority_id: String,
        pub subject: String,
        pub auth_methods: String,
        pub jwks: Option<String>,
        pub signed_requests: String,
        pub scopes: String,
        pub limits: String,
        pub delivers: Option<String>,
        pub max_pending: i64,
        pub epoch: i64,
        pub state: String,
        pub registered_at: i64,
        pub state_changed_at: i64,
    }
}

record! { struct IdRow { id: String } }

const LIST: &str = "/* clients::list */
    SELECT id, name, kind, authority_id, subject, auth_methods, jwks, signed_requests, scopes, limits, delivers, max_pending, epoch, state, registered_at, state_changed_at
    FROM clients ORDER BY name";
const INSERT: &str = "/* clients::insert */
    INSERT INTO clients (id, name, kind, authority_id, subject, auth_methods, jwks, signed_requests, scopes, limits, delivers, max_pending, epoch, state, registered_at, state_changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
// The epoch is raised in the same statement, so that no answer rendered under the former state passes the comparison
// (I2).
const SET_STATE: &str = "/* clients::set_state */
    UPDATE clients SET state = $2, state_changed_at = $3, epoch = epoch + 1 WHERE id = $1 AND state <> $2 AND state <> 'closed'";
// Raises the epoch too: an answer to a request that the former keys signed is not released.
const CHANGE_SIGNING: &str = "/* clients::change_signing */
    UPDATE clients SET jwks = $2, signed_requests = $3, epoch = epoch + 1 WHERE id = $1 AND state <> 'closed'";
const RAISE_EPOCH: &str = "/* clients::raise_epoch */ UPDATE clients SET epoch = epoch + 1 WHERE id = $1";

/// Every client, by name.
pub async fn list(db: &Db) -> Result<Vec<ClientRow>, DbError> {
    db.read("clients::list").fetch_all(LIST, args![]).await
}

/// Registers a client; fails when its name, or its authority and subject, are taken.
pub async fn insert(tx: &mut Tx, row: &ClientRow) -> Result<(), DbError> {
    let args = args![
        &row.id,
        &row.name,
        &row.kind,
        &row.authority_id,
        &row.subject,
        &row.auth_methods,
        row.jwks.clone(),
        &row.signed_requests,
        &row.scopes,
        &row.limits,
        row.delivers.clone(),
        row.max_pending,
        row.epoch,
        &row.state,
        row.registered_at,
        row.state_changed_at,
    ];
    tx.execute(INSERT, args).await.map(|_| ())
}

/// Sets a client's state and raises its epoch; `false` when it is unknown, closed or already in that state.
pub async fn set_state(tx: &mut Tx, id: &str, state: &str, at: Timestamp) -> Result<bool, DbError> {
    tx.execute(SET_STATE, args![id, state, at]).await.map(|changed| changed == 1)
}

/// Sets a client's keys and its mode of signed requests, and raises its epoch; `false` when it is unknown or closed.
pub async fn change_signing(
    tx: &mut Tx,
    id: &str,
    jwks: Option<String>,
    signed_requests: &str,
) -> Result<bool, DbError> {
    tx.execute(CHANGE_SIGNING, args![id, jwks, signed_requests]).await.map(|changed| changed == 1)
}

const IS_ACTIVE: &str = "/* clients::is_active */
    SELECT id FROM clients WHERE id = $1 AND epoch = $2 AND state = 'active'";

/// Whether a client is active and its epoch is still the given one.
pub async fn is_active(tx: &mut Tx, id: &str, epoch: i64) -> Result<bool, DbError> {
    tx.fetch_optional::<IdRow>(IS_ACTIVE, args![id, epoch]).await.map(|row| row.is_some_and(|row| row.id == id))
}

const MAY_ACT: &str = "/* clients::may_act */ SELECT id FROM clients WHERE id = $1 AND state = 'active'";

/// Whether a client is active, whatever its epoch.
pub async fn may_act(tx: &mut Tx, id: &str) -> Result<bool, DbError> {
    tx.fetch_optional::<IdRow>(MAY_ACT, args![id]).await.map(|row| row.is_some())
}

/// Makes the append refuse every answer in progress for this client as stale.
pub async fn raise_epoch(tx: &mut Tx, id: &str) -> Result<(), DbError> {
    tx.execute(RAISE_EPOCH, args![id]).await.map(|_| ())
}
