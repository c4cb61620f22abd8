//! The locks per bank: appends share a lock, and a change that narrows access takes it exclusively (I2).

use std::collections::BTreeSet;

use super::{Arg, Db, Engine, EngineTx, Pools, Tx, open::BEGIN_POSTGRES, tx::begin_on};
use crate::store::DbError;

/// An SQL term that is true while the server syncs what it commits, and an error with the reason otherwise: for statements
/// that add answers to the ledger. Settings may be changed under a running gateway, and a check from time to time would be too
/// late for the answers in between (I1).
macro_rules! syncs {
    () => {
        "CAST(CASE WHEN current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' THEN 'true' \
         ELSE 'the server does not sync what it commits: fsync is ' || current_setting('fsync') \
            || ', full_page_writes is ' || current_setting('full_page_writes') END AS BOOLEAN)"
    };
}
pub(crate) use syncs;

impl Db {
    /// Begins a transaction that may change core tables and takes the locks of [`Tx::lock_banks_shared`], in one round trip
    /// to the server.
    pub async fn begin_with_banks(&self, operation: &'static str, banks: &BTreeSet<String>) -> Result<Tx, DbError> {
        // Only our own identifiers are written into the statement; anything else, which does not occur, is bound.
        let ours = |bank: &String| bank.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match &*self.pools {
            Pools::Postgres { appends: pool, reach, .. } if !banks.is_empty() && banks.iter().all(ours) => {
                // In the order of the set, which is sorted: two batches take their locks in one order and cannot
                // deadlock.
                let names: Vec<_> = banks.iter().map(|bank| format!("('{bank}')")).collect();
                let sql = format!(
                    "{BEGIN_POSTGRES}; SELECT {}; \
                     SELECT pg_advisory_xact_lock_shared(hashtextextended(k, 0)) FROM (VALUES {}) AS s(k)",
                    syncs!(),
                    names.join(",")
                );
                self.hook.before("begin").await;
                let deadline = self.limit.start();
                let lent = reach.acquire(pool, operation).await?;
                let inner = begin_on(lent, operation, deadline, sql).await.map(EngineTx::Postgres);
                inner.map(|inner| self.tx(inner, operation))
            }
            _ => {
                let mut tx = self.begin(operation).await?;
                if tx.engine() == Engine::Postgres {
                    tx.execute(concat!("/* db::syncs */ SELECT ", syncs!()), Vec::new()).await?;
                }
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
