//! A connection lent by a pool for a transaction or a statement, and returned to it only in a known state.
//!
//! SQLite rolls a transaction back by itself when the disk is full or fails, and a statement that was abandoned may still be
//! running. The next user of such a connection would find itself inside a transaction that is not there, or read the answer
//! to another statement, for as long as the process runs. So a connection on which anything but a conflict or a constraint
//! went wrong is closed, and the pool opens another one.

use std::{
    fmt, io,
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{AssertSqlSafe, Database, Executor as _, Postgres, Sqlite, pool::PoolConnection};
use tokio::time::{Instant, timeout, timeout_at};

/// How long the rollback of a dropped transaction may take before its connection is closed instead.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(2);

/// An engine that runs a text of statements without arguments.
pub(super) trait RunsText: Database {
    /// Runs the statements.
    fn run(
        connection: &mut Self::Connection,
        sql: AssertSqlSafe<String>,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

impl RunsText for Sqlite {
    async fn run(connection: &mut Self::Connection, sql: AssertSqlSafe<String>) -> Result<(), sqlx::Error> {
        connection.execute(sqlx::raw_sql(sql)).await.map(|_| ())
    }
}

impl RunsText for Postgres {
    async fn run(connection: &mut Self::Connection, sql: AssertSqlSafe<String>) -> Result<(), sqlx::Error> {
        connection.execute(sqlx::raw_sql(sql)).await.map(|_| ())
    }
}

/// A lent connection, marked as unclean before each statement and as clean after it.
pub(super) struct LentConnection<D: RunsText> {
    /// Taken only on drop.
    connection: Option<PoolConnection<D>>,
    /// Whether no statement is running, and none failed in a way after which the connection's state is unknown.
    pub(super) is_clean: bool,
    /// Whether a transaction was begun and has not ended.
    pub(super) is_open: bool,
    /// Whether a statement of the transaction failed, after which PostgreSQL commits nothing.
    pub(super) has_failed: bool,
}

impl<D: RunsText> LentConnection<D> {
    /// A connection as the pool gave it, about to be used.
    pub(super) const fn new(connection: PoolConnection<D>) -> Self {
        Self { connection: Some(connection), is_clean: false, is_open: false, has_failed: false }
    }
}

impl<D: RunsText> fmt::Debug for LentConnection<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LentConnection")
            .field("is_clean", &self.is_clean)
            .field("is_open", &self.is_open)
            .finish_non_exhaustive()
    }
}

impl<D: RunsText> Deref for LentConnection<D> {
    type Target = D::Connection;

    #[expect(clippy::expect_used, reason = "the connection is taken on drop only")]
    fn deref(&self) -> &Self::Target {
        // Infallible: nothing is borrowed from it once it is being dropped.
        self.connection.as_ref().expect("a lent connection has its connection")
    }
}

impl<D: RunsText> DerefMut for LentConnection<D> {
    #[expect(clippy::expect_used, reason = "the connection is taken on drop only")]
    fn deref_mut(&mut self) -> &mut Self::Target {
        // Infallible: nothing is borrowed from it once it is being dropped.
        self.connection.as_mut().expect("a lent connection has its connection")
    }
}

impl<D: RunsText> Drop for LentConnection<D> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if !self.is_clean {
            // Closing ends whatever is still running, and rolls it back.
            connection.close_on_drop();
        } else if self.is_open {
            // In a task, because dropping cannot wait. A rollback that fails or hangs leaves an unknown state.
            tokio::spawn(async move {
                let rollback = D::run(&mut connection, AssertSqlSafe("ROLLBACK".to_owned()));
                if !matches!(timeout(ROLLBACK_LIMIT, rollback).await, Ok(Ok(()))) {
                    connection.close_on_drop();
                }
            });
        }
    }
}

/// How long a caller waits for the database: a server that is gone without a word answers nothing, for as long as the
/// network's own limits allow, which are hours.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limit(Option<Duration>);

impl Limit {
    /// Callers wait as long as it takes: imports, runs and commands.
    pub(super) const NONE: Self = Self(None);

    pub(super) const fn of(limit: Duration) -> Self {
        Self(Some(limit))
    }

    /// Starts to count.
    pub(super) fn start(self) -> Deadline {
        Deadline(self.0.map(|limit| (Instant::now() + limit, limit)))
    }
}

/// When a caller stops waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Option<(Instant, Duration)>);

impl Deadline {
    /// Waits for some work until the deadline. What was abandoned leaves its connection unclean.
    pub(super) async fn wait<T>(self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        match self.0 {
            None => work.await,
            Some((at, limit)) => timeout_at(at, work).await.unwrap_or_else(|_| Err(silent(limit))),
        }
    }
}

fn silent(limit: Duration) -> sqlx::Error {
    let text = format!("the database did not answer within {} ms", limit.as_millis());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, text))
}
