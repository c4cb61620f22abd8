//! Removing old row contents from the files: an engine keeps the old bytes of a changed row until it reuses their space.

use sqlx::Executor as _;

use super::{Db, Pools};
use crate::store::DbError;

// In this order: VACUUM itself writes through the WAL, which is emptied after it.
const CORE: &str = "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
// No VACUUM of all bulk data for the sake of the staged rows: `secure_delete` overwrites them with zeros.
const BULK: &str = "PRAGMA bulk.secure_delete=ON; DELETE FROM bulk.staged_subjects; PRAGMA bulk.secure_delete=OFF;
    PRAGMA bulk.wal_checkpoint(TRUNCATE);";
/// One statement a text: several in one text would form a transaction, in which `VACUUM` cannot run.
const POSTGRES: [&str; 3] =
    ["DELETE FROM bulk.staged_subjects", "VACUUM (FULL) core.subjects", "VACUUM (FULL) bulk.staged_subjects"];

impl Db {
    /// Removes former contents of subjects' rows from the files: staged rows, freed pages, SQLite's WAL. Back-ups and
    /// PostgreSQL's WAL still hold them until they are deleted. The caller holds the imports lock.
    pub async fn purge_former_subject_data(&self) -> Result<(), DbError> {
        let failed = |error| DbError::of("subjects::forget", error);
        match &*self.pools {
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
