//! Statements, on their own and in transactions, each in the dialect of its engine.

use sqlx::{AssertSqlSafe, Postgres, Sqlite, SqlitePool};

use super::{
    Arg, EndJournal, EndRow, Engine, NewEnd, Pools, Record, args,
    lent::{Deadline, LentConnection, Limit, RunsText},
    pg_args,
    query_hook::QueryHook,
    record, sqlite_args,
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
    pub(super) limit: Limit,
}

impl Read<'_> {
    /// Every row.
    pub async fn fetch_all<R: Record>(&self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<R>, DbError> {
        self.hook.before(sql).await;
        let deadline = self.limit.start();
        match self.pools {
            Pools::Sqlite { read, .. } => {
                let mut lent = acquire_sqlite(read, self.operation).await?;
                let done = deadline
                    .wait(async { fetch_on!(sql, args, R, Sqlite, &mut *lent, fetch_all, sqlite_args, Engine::Sqlite) })
                    .await;
                settled(&mut lent, self.operation, done)
            }
            Pools::Postgres { pool, reach, .. } => {
                let mut lent = reach.acquire(pool, self.operation).await?;
                let done = deadline
                    .wait(async { fetch_on!(sql, args, R, Postgres, &mut *lent, fetch_all, pg_args, Engine::Postgres) })
                    .await;
                settled(&mut lent, self.operation, done)
            }
        }
    }

    /// The first row, if there is one.
    pub async fn fetch_optional<R: Record>(&self, sql: &'static str, args: Vec<Arg>) -> Result<Option<R>, DbError> {
        self.hook.before(sql).await;
        let deadline = self.limit.start();
        match self.pools {
            Pools::Sqlite { read, .. } => {
                let mut lent = acquire_sqlite(read, self.operation).await?;
                let done = deadline
                    .wait(async {
                        fetch_on!(sql, args, R, Sqlite, &mut *lent, fetch_optional, sqlite_args, Engine::Sqlite)
                    })
                    .await;
                settled(&mut lent, self.operation, done)
            }
            Pools::Postgres { pool, reach, .. } => {
                let mut lent = reach.acquire(pool, self.operation).await?;
                let done = deadline
                    .wait(async {
                        fetch_on!(sql, args, R, Postgres, &mut *lent, fetch_optional, pg_args, Engine::Postgres)
                    })
                    .await;
                settled(&mut lent, self.operation, done)
            }
        }
    }

    /// The first row; an error if there is none.
    pub async fn fetch_one<R: Record>(&self, sql: &'static str, args: Vec<Arg>) -> Result<R, DbError> {
        self.fetch_optional(sql, args)
            .await?
            .ok_or(DbError::Engine { operation: self.operation, source: sqlx::Error::RowNotFound })
    }
}

/// Takes one of SQLite's connections. Boxed, as in [`super::reach::Reach::acquire`].
pub(super) async fn acquire_sqlite(
    pool: &SqlitePool,
    operation: &'static str,
) -> Result<LentConnection<Sqlite>, DbError> {
    Box::pin(pool.acquire()).await.map(LentConnection::new).map_err(|error| DbError::of(operation, error))
}

/// Begins a transaction on a connection.
pub(super) async fn begin_on<D: RunsText>(
    mut lent: LentConnection<D>,
    operation: &'static str,
    deadline: Deadline,
    sql: String,
) -> Result<LentConnection<D>, DbError> {
    let done = deadline.wait(D::run(&mut lent, AssertSqlSafe(sql))).await;
    settled(&mut lent, operation, done)?;
    lent.is_open = true;
    Ok(lent)
}

/// Notes how a statement ended: after a conflict or a constraint the connection is as it was before.
pub(super) fn settled<D: RunsText, T>(
    lent: &mut LentConnection<D>,
    operation: &'static str,
    done: Result<T, sqlx::Error>,
) -> Result<T, DbError> {
    let done = done.map_err(|error| DbError::of(operation, error));
    lent.is_clean = done.as_ref().err().is_none_or(|error| error.is_contention() || error.is_constraint());
    lent.has_failed |= done.is_err();
    done
}

#[derive(Debug)]
pub(super) enum EngineTx {
    Sqlite(LentConnection<Sqlite>),
    Postgres(LentConnection<Postgres>),
}

/// A named transaction. Dropped without [`Tx::commit`], it is rolled back; a connection on which it failed is closed.
#[derive(Debug)]
pub struct Tx {
    pub(super) inner: EngineTx,
    pub(super) operation: &'static str,
    pub(super) hook: QueryHook,
    pub(super) journal: Option<EndJournal>,
    /// What this transaction ends, numbered when it commits.
    pub(super) ends: Vec<NewEnd>,
    pub(super) limit: Limit,
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

    /// Before a statement: from here until [`Tx::settle`] the connection's state is unknown.
    pub(super) async fn enter(&mut self, sql: &'static str) -> Result<Deadline, DbError> {
        self.hook.before(sql).await;
        let is_clean = match &mut self.inner {
            EngineTx::Sqlite(lent) => &mut lent.is_clean,
            EngineTx::Postgres(lent) => &mut lent.is_clean,
        };
        // After a full disk SQLite has ended the transaction: what follows would be committed statement by statement.
        if !std::mem::replace(is_clean, false) {
            let source = sqlx::Error::Protocol("an earlier statement of this transaction failed".into());
            return Err(DbError::Engine { operation: self.operation, source });
        }
        Ok(self.limit.start())
    }

    /// After a statement.
    pub(super) fn settle<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T, DbError> {
        match &mut self.inner {
            EngineTx::Sqlite(lent) => settled(lent, self.operation, done),
            EngineTx::Postgres(lent) => settled(lent, self.operation, done),
        }
    }

    /// Runs a statement and returns how many rows it changed.
    pub async fn execute(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<u64, DbError> {
        let deadline = self.enter(sql).await?;
        let inner = &mut self.inner;
        let run = async {
            match inner {
                EngineTx::Sqlite(tx) => execute_on!(sql, args, Sqlite, &mut **tx, sqlite_args, Engine::Sqlite),
                EngineTx::Postgres(tx) => execute_on!(sql, args, Postgres, &mut **tx, pg_args, Engine::Postgres),
            }
        };
        let done = deadline.wait(run).await;
        self.settle(done)
    }

    /// Every row.
    pub async fn fetch_all<R: Record>(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<R>, DbError> {
        let deadline = self.enter(sql).await?;
        let inner = &mut self.inner;
        let run = async {
            match inner {
                EngineTx::Sqlite(tx) => {
                    fetch_on!(sql, args, R, Sqlite, &mut **tx, fetch_all, sqlite_args, Engine::Sqlite)
                }
                EngineTx::Postgres(tx) => {
                    fetch_on!(sql, args, R, Postgres, &mut **tx, fetch_all, pg_args, Engine::Postgres)
                }
            }
        };
        let done = deadline.wait(run).await;
        self.settle(done)
    }

    /// The first row, if there is one.
    pub async fn fetch_optional<R: Record>(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Option<R>, DbError> {
        let deadline = self.enter(sql).await?;
        let inner = &mut self.inner;
        let run = async {
            match inner {
                EngineTx::Sqlite(tx) => {
                    fetch_on!(sql, args, R, Sqlite, &mut **tx, fetch_optional, sqlite_args, Engine::Sqlite)
                }
                EngineTx::Postgres(tx) => {
                    fetch_on!(sql, args, R, Postgres, &mut **tx, fetch_optional, pg_args, Engine::Postgres)
                }
            }
        };
        let done = deadline.wait(run).await;
        self.settle(done)
    }

    /// The first row; an error if there is none.
    pub async fn fetch_one<R: Record>(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<R, DbError> {
        let operation = self.operation;
        self.fetch_optional(sql, args).await?.ok_or(DbError::Engine { operation, source: sqlx::Error::RowNotFound })
    }

    /// Lifts the limits on time: the process may work, or wait, between the statements of this transaction, and a statement
    /// may take as long as it needs.
    pub(in crate::store) async fn allow_idle(&mut self) -> Result<(), DbError> {
        self.limit = Limit::NONE;
        match self.engine() {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => self.execute(ALLOW_IDLE, Vec::new()).await.map(|_| ()),
        }
    }

    /// Runs a script of several statements without arguments: migrations and grants only.
    pub(in crate::store) async fn script(&mut self, sql: impl Into<String>) -> Result<(), DbError> {
        let deadline = self.enter("script").await?;
        let done = self.run_text(deadline, sql.into()).await;
        self.settle(done)
    }

    async fn run_text(&mut self, deadline: Deadline, sql: String) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql);
        match &mut self.inner {
            EngineTx::Sqlite(tx) => deadline.wait(Sqlite::run(tx, sql)).await,
            EngineTx::Postgres(tx) => deadline.wait(Postgres::run(tx, sql)).await,
        }
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
        if let EngineTx::Postgres(LentConnection { has_failed: true, .. }) = self.inner {
            // PostgreSQL would answer this commit with a rollback, which looks like success.
            let source = sqlx::Error::Protocol("a statement of this transaction failed: nothing is committed".into());
            return Err(DbError::Engine { operation, source });
        }
        let deadline = self.enter("commit").await?;
        let done = self.run_text(deadline, "COMMIT".to_owned()).await;
        // An error may come after the server has committed: unless it says that it refused, the outcome is unknown.
        let done = done.map_err(|source| DbError::of_commit(operation, source));
        let is_clean = done.as_ref().err().is_none_or(|error| error.is_contention() || error.is_constraint());
        match &mut self.inner {
            EngineTx::Sqlite(lent) => (lent.is_clean, lent.is_open) = (is_clean, done.is_err()),
            EngineTx::Postgres(lent) => (lent.is_clean, lent.is_open) = (is_clean, done.is_err()),
        }
        done?;
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
