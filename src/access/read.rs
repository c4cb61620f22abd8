//! Clients as operators look for them.

use super::client::Client;
use crate::{
    domain::{Failure, Timestamp},
    store::{
        Env,
        clients::{self, ClientPage, ListedRow},
    },
};

/// The criteria of a list of clients; empty ones match everything.
#[derive(Debug, Clone, Default)]
pub struct ClientFilter {
    /// The word of a kind.
    pub kind: String,
    /// The word of a state.
    pub state: String,
    /// A part of the name.
    pub name: String,
}

/// A client with its registration.
#[derive(Debug, Clone)]
pub struct ClientRecord {
    pub client: Client,
    /// The name of the authority that issues its certificates.
    pub authority: String,
    pub registered_at: Timestamp,
    /// Since when it has its state.
    pub state_changed_at: Timestamp,
}

impl ClientRecord {
    fn from_row(row: &ListedRow) -> Result<Self, Failure> {
        Ok(Self {
            client: Client::from_row(&row.client()).map_err(Failure::internal)?,
            authority: row.authority.clone(),
            registered_at: Timestamp::from_micros(row.registered_at),
            state_changed_at: Timestamp::from_micros(row.state_changed_at),
        })
    }
}

/// A page of clients by name, after a name.
pub async fn page(env: &Env, filter: &ClientFilter, after: &str, limit: i64) -> Result<Vec<ClientRecord>, Failure> {
    let ClientFilter { kind, state, name } = filter;
    let rows = clients::page(&env.db, &ClientPage { kind, state, name, after, limit }).await?;
    rows.iter().map(ClientRecord::from_row).collect()
}

/// The client with this id.
pub async fn find(env: &Env, id: &str) -> Result<ClientRecord, Failure> {
    let row = clients::find(&env.db, id).await?;
    let row = row.ok_or_else(|| Failure::not_found("client_not_found", "There is no client with this id."))?;
    ClientRecord::from_row(&row)
}

/// The number of clients by the word of their state.
pub async fn counts(env: &Env) -> Result<Vec<(String, i64)>, Failure> {
    Ok(clients::counts(&env.db).await?.into_iter().map(|row| (row.state, row.number)).collect())
}
