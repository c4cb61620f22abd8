//! SQLite's checkpoints beside the answers instead of among them.
//!
//! Left to itself, SQLite moves a thousand pages from its log into the file within whichever commit comes next, with two
//! syncs, and all answers of that batch wait. Here another connection does it, which is in no writer's way. Under constant
//! load such a checkpoint never ends with nothing left, and the log would grow for ever: once it is long, the writer's own
//! connection moves the little that came meanwhile, between two transactions, and the log begins anew.

use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{Db, DbError, Pools};

const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// The pages of a log that is long.
const LONG: i64 = 4096;

/// The connection that moves pages. Opened when first used: commands that end soon need none.
#[derive(Debug)]
pub(super) struct Keeper(SqlitePool);

impl Keeper {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        Self(SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options))
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}

/// How many pages the log has.
async fn checkpoint(pool: &SqlitePool) -> Result<i64, DbError> {
    let row = sqlx::query(CHECKPOINT).fetch_one(pool).await.and_then(|row| row.try_get(1));
    row.map_err(|error| DbError::of("checkpoint", error))
}

impl Db {
    /// Moves what was committed into SQLite's file. On PostgreSQL there is nothing to do.
    pub async fn checkpoint(&self) -> Result<(), DbError> {
        let Pools::Sqlite { core, keeper, .. } = &*self.0 else { return Ok(()) };
        if checkpoint(&keeper.0).await? > LONG {
            checkpoint(core).await?;
        }
        Ok(())
    }
}
