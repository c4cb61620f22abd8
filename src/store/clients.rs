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

record! {
    /// A client with the name of its authority.
    pub struct ListedRow {
        pub id: String,
        pub name: String,
        pub kind: String,
        pub authority_id: String,
        pub authority: String,
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

impl ListedRow {
    /// The client without its authority.
    pub fn client(&self) -> ClientRow {
        let row = self.clone();
        ClientRow {
            id: row.id,
            name: row.name,
            kind: row.kind,
            authority_id: row.authority_id,
            subject: row.subject,
            auth_methods: row.auth_methods,
            jwks: row.jwks,
            signed_requests: row.signed_requests,
            scopes: row.scopes,
            limits: row.limits,
            delivers: row.delivers,
            max_pending: row.max_pending,
            epoch: row.epoch,
            state: row.state,
            registered_at: row.registered_at,
            state_changed_at: row.state_changed_at,
        }
    }
}

macro_rules! listed {
    ($head:literal, $tail:literal) => {
        concat!(
            $head,
            " SELECT c.id, c.name, c.kind, c.authority_id, a.name AS authority, c.subject, c.auth_methods, c.jwks, c.signed_requests,",
            " c.scopes, c.limits, c.delivers, c.max_pending, c.epoch, c.state, c.registered_at, c.state_changed_at",
            " FROM clients c JOIN authorities a ON a.id = c.authority_id ",
            $tail
        )
    };
}

// An empty criterion matches every row. The part of a name is looked for as it is: `%` and `_` are no wildcards.
const PAGE: &str = listed!(
    "/* clients::page */",
    "WHERE ($1 = '' OR c.kind = $1) AND ($2 = '' OR c.state = $2) AND ($3 = '' OR replace(c.name, $3, '') <> c.name)
     AND c.name > $4 ORDER BY c.name LIMIT $5"
);
const FIND: &str = listed!("/* clients::find */", "WHERE c.id = $1");

/// The criteria of a page of clients; empty ones match everything.
#[derive(Debug, Clone, Copy)]
pub struct ClientPage<'a> {
    pub kind: &'a str,
    pub state: &'a str,
    /// A part of the name.
    pub name: &'a str,
    /// The name after which the page begins.
    pub after: &'a str,
    pub limit: i64,
}

/// A page of clients, by name.
pub async fn page(db: &Db, page: &ClientPage<'_>) -> Result<Vec<ListedRow>, DbError> {
    let args = args![page.kind, page.state, page.name, page.after, page.limit];
    db.read("clients::page").fetch_all(PAGE, args).await
}

/// The client with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<ListedRow>, DbError> {
    db.read("clients::find").fetch_optional(FIND, args![id]).await
}

record! {
    /// The number of clients in a state.
    pub struct StateCountRow {
        pub state: String,
        pub number: i64,
    }
}

const COUNTS: &str =
    "/* clients::counts */ SELECT state, CAST(count(*) AS BIGINT) AS number FROM clients GROUP BY state";

/// The number of clients by state.
pub async fn counts(db: &Db) -> Result<Vec<StateCountRow>, DbError> {
    db.read("clients::counts").fetch_all(COUNTS, args![]).await
}
