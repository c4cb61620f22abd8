//! The locks per bank: many answers at once, and no answer beside a narrowing (I2).

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use super::{Arg, Begun, Db, Engine, Pools, Tx};
use crate::store::DbError;

impl Db {
    /// Begins a transaction that may change core tables, with the locks of [`Tx::lock_banks_shared`], in one turn of the
    /// server.
    pub async fn begin_with_banks(&self, operation: &'static str, banks: &BTreeSet<String>) -> Result<Tx, DbError> {
        // Identifiers of our own: anything else, which does not happen, is bound and not written into the statement.
        let ours = |bank: &String| bank.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match &*self.0 {
            Pools::Postgres { appends: pool, .. } if !banks.is_empty() && banks.iter().all(ours) => {
                let names: Vec<_> = banks.iter().map(|bank| format!("('{bank}')")).collect();
                let sql = format!(
                    "BEGIN; SELECT pg_advisory_xact_lock_shared(hashtextextended(k, 0)) FROM (VALUES {}) AS s(k)",
                    names.join(",")
                );
                self.1.next("begin").await;
                let begun = pool.begin_with(AssertSqlSafe(sql)).await.map(Begun::Postgres);
                begun.map(|begun| self.tx(begun, operation)).map_err(|error| DbError::of(operation, error))
            }
            _ => {
                let mut tx = self.begin(operation).await?;
                tx.lock_banks_shared(&banks.iter().cloned().collect::<Vec<_>>()).await?;
                Ok(tx)
            }
        }
    }
}

impl Tx {
    /// Takes the locks under which a bank's answers are appended: many may hold them at once, a narrowing waits for all.
    ///
    /// SQLite's one writer already stands for them. On PostgreSQL they are advisory, taken in sorted order so that two
    /// batches cannot wait for each other, and they end with the transaction.
    pub async fn lock_banks_shared(&mut self, banks: &[String]) -> Result<(), DbError> {
        self.lock_banks(banks, "SELECT pg_advisory_xact_lock_shared(hashtextextended(k, 0)) FROM (SELECT value #>> '{}' AS k FROM json_rows($1) ORDER BY 1) s").await
    }

    /// Takes the same locks alone: for every change that narrows or ends what a bank may read (I2).
    pub async fn lock_banks_exclusive(&mut self, banks: &[String]) -> Result<(), DbError> {
        self.lock_banks(banks, "SELECT pg_advisory_xact_lock(hashtextextended(k, 0)) FROM (SELECT value #>> '{}' AS k FROM json_rows($1) ORDER BY 1) s").await
    }

    /// Takes locks of some names alone, until the transaction ends: for what is decided by rows that are not there yet.
    pub async fn lock_names(&mut self, names: &[String]) -> Result<(), DbError> {
        self.lock_banks_exclusive(names).await
    }

    async fn lock_banks(&mut self, banks: &[String], sql: &'static str) -> Result<(), DbError> {
        if self.engine() == Engine::Sqlite || banks.is_empty() {
            return Ok(());
        }
        let keys = serde_json::to_string(banks).unwrap_or_default();
        self.execute(sql, vec![Arg::Text(keys)]).await.map(|_| ())
    }
}
