//! Statements, on their own and in transactions, each in the dialect of its engine.

use sqlx::{AssertSqlSafe, Executor, Postgres, Sqlite};

use super::{
    Arg, EndJournal, EndRow, Engine, NewEnd, Pools, Record, args, pg_args, query_hook::QueryHook, record, sqlite_args,
};
use crate::store::DbError;

record! {
    struct NumberedRow {
        number: i64,
        epoch: i64,
    }
}

/// Changes nothing and locks the row that every end's transaction raises, so that numbers are in the order of commits.
const LOCK_ENDS: &str = "/* ends::lock */ UPDATE change_counter SET number = number WHERE id = 1";
const INSERT_END: &str = "/* ends::insert */
    INSERT INTO ends (number, id, epoch, kind, target, detail, actor, at)
    SELECT COALESCE(MAX(number), 0) + 1, $1, (SELECT COALESCE(MAX(epoch), 0) FROM ledger_epochs), $2, $3, $4, $5, $6
    FROM ends RETURNING number, epoch";

/// For transactions that are idle on purpose: those of imports and runs, and those that only hold a lock.
const ALLOW_IDLE: &str = "/* db::allow_idle */ SET LOCAL idle_in_transaction_session_timeout = 0";

/// Keeps several workers from waiting for each other's rows; SQLite has one writer and needs no such clause.
const SKIP_LOCKED: &str = "FOR UPDATE SKIP LOCKED";

/// Whether a statement has another text on one of the engines.
fn differs(sql: &str) -> bool {
    sql.contains("json_rows(") || sql.contains("json_few_rows(") || sql.contains(SKIP_LOCKED)
}

/// The text of a statement on one engine: `json_rows($1)` is a set of rows with a JSON column `value`.
fn in_dialect(engine: Engine, sql: &'static str) -> AssertSqlSafe<String> {
    AssertSqlSafe(match engine {
        // Not `json_each`: that would turn each row back into text, to be parsed again for every field read of it.
        Engine::Sqlite => {
            sql.replace("json_rows(", "jsonb_each(").replace("json_few_rows(", "jsonb_each(").replace(SKIP_LOCKED, "")
        }
        // The planner assumes ten rows of an array whose length it does not know: each is then looked up by its key.
        Engine::Postgres => sql
            .replace("json_rows($1)", "jsonb_array_elements($1::jsonb) AS rows(value)")
            .replace("json_few_rows($1)", "UNNEST(ARRAY(SELECT jsonb_array_elements($1::jsonb))) AS rows(value)"),
    })
}

macro_rules! fetch_on {
    ($sql:expr, $args:expr, $record:ty, $db:ty, $executor:expr, $how:ident, $bind:ident, $engine:expr) => {{
        let args = $bind($args).map_err(sqlx::Error::Encode);
        match args {
            Err(error) => Err(error),
            // Any other text is the same on both engines, and is not copied at every run.
            Ok(args) if differs($sql) => {
                sqlx::query_as_with::<$db, $record, _>(in_dialect($engine, $sql), args).$how($executor).await
            }
            Ok(args) => sqlx::query_as_with::<$db, $record, _>($sql, args).$how($executor).await,
        }
    }};
}

macro_rules! execute_on {
    ($sql:expr, $args:expr, $db:ty, $executor:expr, $bind:ident, $engine:expr) => {{
        match $bind($args).map_err(sqlx::Error::Encode) {
            Err(error) => Err(error),
            Ok(args) if differs($sql) => sqlx::query_with::<$db, _>(in_dialect($engine, $sql), args)
                .execute($executor)
                .await
                .map(|done| done.rows_affected()),
            Ok(args) => {
                sqlx::query_with::<$db, _>($sql, args).execute($executor).await.map(|done| done.rows_affected())
            }
        }
    }};
}

/// Statements that only read, outside a transaction.
#[derive(Debug)]
pub struct Read<'a> {
    pub(super) pools: &'a Pools,
    pub(super) operation: &'static str,
    pub(super) hook: &'a QueryHook,
}

impl Read<'_> {
    /// Every row.
    pub async fn fetch_all<R: Record>(&self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<R>, DbError> {
        self.hook.before(sql).await;
        match self.pools {
            Pools::Sqlite { read, .. } => fetch_on!(sql, args, R, Sqlite, read, fetch_all, sqlite_args, Engine::Sqlite),
            Pools::Postgres { pool, .. } => {
                fetch_on!(sql, args, R, Postgres, pool, fetch_all, pg_args, Engine::Postgres)
            }
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// The first row, if there is one.
    pub async fn fetch_optional<R: Record>(&self, sql: &'static str, args: Vec<Arg>) -> Result<Option<R>, DbError> {
        self.hook.before(sql).await;
        match self.pools {
            Pools::Sqlite { read, .. } => {
                fetch_on!(sql, args, R, Sqlite, read, fetch_optional, sqlite_args, Engine::Sqlite)
            }
            Pools::Postgres { pool, .. } => {
                fetch_on!(sql, args, R, Postgres, pool, fetch_optional, pg_args, Engine::Postgres)
            }
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// The first row; an error if there is none.
    pub async fn fetch_one<R: Record>(&self, sql: &'static str, args: Vec<Arg>) -> Result<R, DbError> {
        self.fetch_optional(sql, args)
            .await?
            .ok_or(DbError::Engine { operation: self.operation, source: sqlx::Error::RowNotFound })
    }
}

#[derive(Debug)]
pub(super) enum EngineTx {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// A named transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub struct Tx {
    pub(super) inner: EngineTx,
    pub(super) operation: &'static str,
    pub(super) hook: QueryHook,
    pub(super) journal: Option<EndJournal>,
    /// What this transaction ends, numbered when it commits.
    pub(super) ends: Vec<NewEnd>,
}

impl Tx {
    /// The operation it was started for.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Which engine it runs on.
    pub const fn engine(&self) -> Engine {
        match self.inner {
            EngineTx::Sqlite(_) => Engine::Sqlite,
            EngineTx::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a statement and returns how many rows it changed.
    pub async fn execute(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<u64, DbError> {
        self.hook.before(sql).await;
        match &mut self.inner {
            EngineTx::Sqlite(tx) => execute_on!(sql, args, Sqlite, &mut **tx, sqlite_args, Engine::Sqlite),
            EngineTx::Postgres(tx) => execute_on!(sql, args, Postgres, &mut **tx, pg_args, Engine::Postgres),
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// Every row.
    pub async fn fetch_all<R: Record>(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<R>, DbError> {
        self.hook.before(sql).await;
        match &mut self.inner {
            EngineTx::Sqlite(tx) => fetch_on!(sql, args, R, Sqlite, &mut **tx, fetch_all, sqlite_args, Engine::Sqlite),
            EngineTx::Postgres(tx) => {
                fetch_on!(sql, args, R, Postgres, &mut **tx, fetch_all, pg_args, Engine::Postgres)
            }
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// The first row, if there is one.
    pub async fn fetch_optional<R: Record>(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Option<R>, DbError> {
        self.hook.before(sql).await;
        match &mut self.inner {
            EngineTx::Sqlite(tx) => {
                fetch_on!(sql, args, R, Sqlite, &mut **tx, fetch_optional, sqlite_args, Engine::Sqlite)
            }
            EngineTx::Postgres(tx) => {
                fetch_on!(sql, args, R, Postgres, &mut **tx, fetch_optional, pg_args, Engine::Postgres)
            }
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// The first row; an error if there is none.
    pub async fn fetch_one<R: Record>(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<R, DbError> {
        let operation = self.operation;
        self.fetch_optional(sql, args).await?.ok_or(DbError::Engine { operation, source: sqlx::Error::RowNotFound })
    }

    /// Lifts the limit on idle time: the process may work, or wait, between the statements of this transaction.
    pub(in crate::store) async fn allow_idle(&mut self) -> Result<(), DbError> {
        match self.engine() {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => self.execute(ALLOW_IDLE, Vec::new()).await.map(|_| ()),
        }
    }

    /// Runs a script of several statements without arguments: migrations and grants only.
    pub(in crate::store) async fn script(&mut self, sql: impl Into<String>) -> Result<(), DbError> {
        let sql = AssertSqlSafe(sql.into());
        match &mut self.inner {
            EngineTx::Sqlite(tx) => (&mut **tx).execute(sqlx::raw_sql(sql)).await.map(|_| ()),
            EngineTx::Postgres(tx) => (&mut **tx).execute(sqlx::raw_sql(sql)).await.map(|_| ()),
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// Adds the end of an access: it is committed with the transaction, and in the journal before the commit returns.
    pub fn end(&mut self, end: NewEnd) {
        self.ends.push(end);
    }

    async fn number_ends(&mut self) -> Result<Vec<EndRow>, DbError> {
        let mut numbered = Vec::with_capacity(self.ends.len());
        if !self.ends.is_empty() {
            // Here and not earlier: everybody takes this lock last, so nobody waits for another under it.
            self.execute(LOCK_ENDS, args![]).await?;
        }
        for end in std::mem::take(&mut self.ends) {
            let NewEnd { id, kind, target, detail, actor, at } = &end;
            let row: NumberedRow = self.fetch_one(INSERT_END, args![id, kind, target, detail, actor, *at]).await?;
            numbered.push(EndRow::numbered(end, row.number, row.epoch));
        }
        Ok(numbered)
    }

    /// Makes the changes durable. On return of `Ok` they are synced; on [`DbError::CommitUnknown`] they may be, and on
    /// [`DbError::Journal`] they are.
    pub async fn commit(mut self) -> Result<(), DbError> {
        let operation = self.operation;
        let ended = self.number_ends().await?;
        self.hook.before("commit").await;
        match self.inner {
            EngineTx::Sqlite(tx) => tx.commit().await,
            EngineTx::Postgres(tx) => tx.commit().await,
        }
        // An error may come after the server has committed: unless it says that it refused, the outcome is unknown.
        .map_err(|source| DbError::of_commit(operation, source))?;
        metrics::counter!("medcredit_store_commits_total", "operation" => operation).increment(1);
        // A crash here leaves an end that was not acknowledged; a running gateway completes the journal with its next poll.
        match self.journal.filter(|_| !ended.is_empty()) {
            Some(journal) => journal.append(&ended).await.map_err(|source| DbError::Journal {
                operation,
                path: journal.path().to_owned(),
                source,
            }),
            None => Ok(()),
        }
    }
}
