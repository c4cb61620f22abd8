//! Tables of other parties' databases (front-end exchange databases, 前置库): rows are inserted and read there, and nothing is
//! ever updated, deleted or created.
//!
//! A batch is one transaction, and is written once in effect: under a lock of its name the transaction looks whether the batch
//! is there, and inserts only where it is not. Names are [`Identifier`]s, quoted as the engine quotes; values are always bound.

mod connect;
mod error;
mod identifier;
mod mariadb;
mod postgres;
mod statement;

use std::{path::PathBuf, time::Duration};

pub use error::ExchangeError;
pub use identifier::{Engine, Identifier};
pub use statement::{Batch, BatchColumn, ColumnValues, Condition, Found, Rows, RowsBefore, Table};

use connect::Pools;

/// How a database is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeAccess {
    pub engine: Engine,
    /// A file with one line: the address with user and password.
    pub url_file: PathBuf,
    pub connect_timeout: Duration,
    /// The longest time of a transaction.
    pub timeout: Duration,
    /// The most connections.
    pub connections: u32,
}

/// A database, with its connections.
#[derive(Debug)]
pub struct ExchangeDatabase {
    access: ExchangeAccess,
    pools: Pools,
}

impl ExchangeDatabase {
    /// A database that is connected to when it is needed.
    pub fn new(access: ExchangeAccess) -> Self {
        Self { access, pools: Pools::default() }
    }

    /// Writes a batch, unless it is there. Returns what was there before.
    pub async fn write(&self, batch: &Batch<'_>) -> Result<Found, ExchangeError> {
        let timeout = self.access.timeout;
        match self.access.engine {
            Engine::Postgres => postgres::write(&self.pools.postgres(&self.access).await?, batch, timeout).await,
            Engine::Mariadb => mariadb::write(&self.pools.mariadb(&self.access).await?, batch, timeout).await,
        }
    }

    /// Reads rows. Every value comes as a text.
    pub async fn read(&self, rows: &Rows<'_>) -> Result<Vec<Vec<Option<String>>>, ExchangeError> {
        let timeout = self.access.timeout;
        match self.access.engine {
            Engine::Postgres => postgres::read(&self.pools.postgres(&self.access).await?, rows, timeout).await,
            Engine::Mariadb => mariadb::read(&self.pools.mariadb(&self.access).await?, rows, timeout).await,
        }
    }
}
