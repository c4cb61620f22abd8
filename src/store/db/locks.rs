//! The locks per bank: appends share a lock, and a change that narrows access takes it exclusively (I2).

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use super::{Arg, Db, Engine, EngineTx, Pools, Tx};
use crate::store::DbError;

impl Db {
    /// Begins a transaction that may change core tables and takes the locks of [`Tx::lock_banks_shared`], in one round trip
    /// to the server.
    pub async fn begin_with_banks(&self, operation: &'static str, banks: &BTreeSet<String>) -> Result<Tx, DbError> {
        // Only our own identifiers are written into the statement; anything else, which does not occur, is bound.
        let ours = |bank: &String| bank.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match &*self.pools {
            Pools::Postgres { appends: pool, .. } if !banks.is_empty() && banks.iter().all(ours) => {
                // In the order of the set, which is sorted: two batches take their locks in one order and cannot
                // deadlock.
                let names: Vec<_> = banks.iter().map(|bank| format!("('{bank}')")).collect();
                let sql = format!(
                    "BEGIN; SELECT pg_advisory_xact_lock_shared(hashtextextended(k, 0)) FROM (VALUES {}) AS s(k)",
                    names.join(",")
                );
                self.hook.before("begin").await;
                let inner = pool.begin_with(AssertSqlSafe(sql)).await.map(EngineTx::Postgres);
                inner.map(|inner| self.tx(inner, operation)).map_err(|error| DbError::of(operation, error))
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
    /// Takes the locks under which a bank's answers are appended: many transactions may share them, and a change that
    /// narrows access waits for all of those.
    ///
    /// On SQLite there is one writer, so there is nothing to lock. On PostgreSQL these are advisory locks, taken in sorted
    /// order so that two batches cannot deadlock, and they end with the transaction.
    pub async fn lock_banks_shared(&mut self, banks: &[String]) -> Result<(), DbError> {
        self.lock_banks(banks, "SELECT pg_advisory_xact_lock_shared(hashtextextended(k, 0)) FROM (SELECT value #>> '{}' AS k FROM json_rows($1) ORDER BY 1) s").await
    }

    /// Takes the same locks exclusively: for every change that narrows or ends what a bank may read (I2).
    pub async fn lock_banks_exclusive(&mut self, banks: &[String]) -> Result<(), DbError> {
        self.lock_banks(banks, "SELECT pg_advisory_xact_lock(hashtextextended(k, 0)) FROM (SELECT value #>> '{}' AS k FROM json_rows($1) ORDER BY 1) s").await
    }

    /// Takes exclusive locks on names until the transaction ends: for decisions that depend on rows not being there yet.
    pub async fn lock_names(&mut self, names: &[String]) -> Result<(), DbError> {
        // Names share the banks' space of locks: a collision of hashes costs a wait and never lets two holders in.
        self.lock_banks_exclusive(names).await
    }

    async fn lock_banks(&mut self, banks: &[String], sql: &'static str) -> Result<(), DbError> {
        if self.engine() == Engine::Sqlite || banks.is_empty() {
            return Ok(());
        }
        // Strings always serialize.
        let keys = serde_json::to_string(banks).unwrap_or_default();
        self.execute(sql, vec![Arg::Text(keys)]).await.map(|_| ())
    }
}
