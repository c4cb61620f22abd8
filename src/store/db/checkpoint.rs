//! SQLite's WAL checkpoints on a connection of their own, so that no answer waits for them.
//!
//! By default SQLite copies a thousand pages from the WAL into the file within the next commit, with two syncs, and all
//! answers of that batch wait. Here another connection copies them without blocking the writer. Under constant load such a
//! checkpoint never copies everything, and the WAL would grow without bound: once it is long, the writer's connection copies
//! the few pages that are left, between two transactions, and the WAL starts again from its beginning.

use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{Db, DbError, Pools};

const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// The number of WAL pages above which the writer's connection helps.
const LONG_WAL: i64 = 4096;

/// The connection that checkpoints. Opened on first use: short commands need none.
#[derive(Debug)]
pub(super) struct Checkpointer(SqlitePool);

impl Checkpointer {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        Self(SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options))
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}

/// Checkpoints and returns how many pages the WAL has.
async fn checkpoint(pool: &SqlitePool) -> Result<i64, DbError> {
    // The second column is the length of the WAL; the first is whether the checkpoint was blocked.
    let row = sqlx::query(CHECKPOINT).fetch_one(pool).await.and_then(|row| row.try_get(1));
    row.map_err(|error| DbError::of("checkpoint", error))
}

impl Db {
    /// Copies committed pages from SQLite's WAL into its file. On PostgreSQL there is nothing to do.
    pub async fn checkpoint(&self) -> Result<(), DbError> {
        let Pools::Sqlite { core, checkpointer, .. } = &*self.pools else { return Ok(()) };
        if checkpoint(&checkpointer.0).await? > LONG_WAL {
            // The writer's pool has one connection, so this runs between two transactions.
            checkpoint(core).await?;
        }
        Ok(())
    }
}
