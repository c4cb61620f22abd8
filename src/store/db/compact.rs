//! Taking out of the files what rows no longer hold: an engine keeps the old bytes of a changed row until it needs their
//! place.

use sqlx::Executor as _;

use super::{Db, Pools};
use crate::store::DbError;

const CORE: &str = "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
const BULK: &str = "PRAGMA bulk.secure_delete=ON; DELETE FROM bulk.staged_subjects; PRAGMA bulk.secure_delete=OFF;
    PRAGMA bulk.wal_checkpoint(TRUNCATE);";
/// Each on its own: it cannot run in a transaction, which several statements in one text would be.
const POSTGRES: [&str; 3] =
    ["DELETE FROM bulk.staged_subjects", "VACUUM (FULL) core.subjects", "VACUUM (FULL) bulk.staged_subjects"];

impl Db {
    /// Removes what subjects' rows held before, also from the files: staged rows, freed pages, SQLite's log. Back-ups and
    /// PostgreSQL's own log keep it until they are gone. The caller holds the lock of imports.
    pub async fn forget_former_subjects(&self) -> Result<(), DbError> {
        let failed = |error| DbError::of("subjects::forget", error);
        match &*self.0 {
            Pools::Sqlite { core, bulk, .. } => {
                bulk.execute(sqlx::raw_sql(BULK)).await.map_err(failed)?;
                core.execute(sqlx::raw_sql(CORE)).await.map_err(failed)?;
            }
            Pools::Postgres { pool, .. } => {
                for statement in POSTGRES {
                    pool.execute(sqlx::raw_sql(statement)).await.map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}
