//! The dialect seam: pools, transactions, arguments and rows, and the few true differences of the two engines.
//!
//! What differs, and is hidden here: how a transaction begins (`BEGIN IMMEDIATE` takes SQLite's one write lock;
//! PostgreSQL reads committed), how rows are made of one JSON parameter (`json_rows($1)` in a statement becomes
//! `jsonb_each` or `jsonb_array_elements`; `json_few_rows($1)` where PostgreSQL must plan for a few rows and not for a
//! hundred), how rows are bound value by value (`rows.rs`), and the locks per bank that only an engine with several
//! writers needs.
//!
//! SQLite has two files. Writers of `core.db` do not attach `bulk.db`, because `BEGIN IMMEDIATE` would take the write
//! lock of every attached file and a long import would stall the answers. Readers attach both.

mod checkpoint;
mod compact;
mod locks;
mod rows;
mod turns;

use std::{
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use super::DbError;
use checkpoint::Keeper;
pub use rows::Column;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Executor, FromRow, PgPool, Postgres, Sqlite, SqlitePool,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use turns::Turns;

/// Which engine a store runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Embedded, one node.
    Sqlite,
    /// For replicas and for size.
    Postgres,
}

/// A value bound to a statement.
#[derive(Debug, Clone)]
pub enum Arg {
    /// TEXT.
    Text(String),
    /// TEXT or null.
    TextOpt(Option<String>),
    /// BIGINT.
    Int(i64),
    /// BIGINT or null.
    IntOpt(Option<i64>),
    /// BLOB or BYTEA.
    Bytes(Vec<u8>),
    /// BLOB or BYTEA or null.
    BytesOpt(Option<Vec<u8>>),
}

macro_rules! arg_from {
    ($($from:ty => $variant:ident($convert:expr)),+ $(,)?) => {$(
        impl From<$from> for Arg {
            fn from(value: $from) -> Self {
                Self::$variant(($convert)(value))
            }
        }
    )+};
}
arg_from! {
    &str => Text(str::to_owned),
    String => Text(|text| text),
    &String => Text(String::clone),
    Option<String> => TextOpt(|text| text),
    Option<&str> => TextOpt(|text: Option<&str>| text.map(str::to_owned)),
    i64 => Int(|number| number),
    i32 => Int(i64::from),
    u32 => Int(i64::from),
    bool => Int(i64::from),
    Option<i64> => IntOpt(|number| number),
    &[u8] => Bytes(<[u8]>::to_vec),
    Vec<u8> => Bytes(|bytes| bytes),
    [u8; 32] => Bytes(|bytes: [u8; 32]| bytes.to_vec()),
    Option<Vec<u8>> => BytesOpt(|bytes| bytes),
    crate::domain::Timestamp => Int(crate::domain::Timestamp::micros),
    Option<crate::domain::Timestamp> => IntOpt(|at: Option<crate::domain::Timestamp>| at.map(crate::domain::Timestamp::micros)),
}

/// The arguments of a statement, each converted into an [`Arg`].
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::Arg::from($value)),*] };
}
pub(crate) use args;

/// A struct whose fields are the columns of a result, read by name on both engines.
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident: $ty:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        $vis struct $name { $($(#[$fmeta])* #[doc = concat!("The column `", stringify!($field), "`.")] $fvis $field: $ty),+ }

        impl<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> for $name {
            fn from_row(row: &'r sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
                use sqlx::Row;
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }

        impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for $name {
            fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
                use sqlx::Row;
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}
pub(crate) use record;

/// A row type both engines can fill.
pub trait Record: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

fn add_sqlite(out: &mut SqliteArguments, arg: Arg) -> Result<(), sqlx::error::BoxDynError> {
    use sqlx::Arguments;
    match arg {
        Arg::Text(value) => out.add(value),
        Arg::TextOpt(value) => out.add(value),
        Arg::Int(value) => out.add(value),
        Arg::IntOpt(value) => out.add(value),
        Arg::Bytes(value) => out.add(value),
        Arg::BytesOpt(value) => out.add(value),
    }
}

fn sqlite_args(args: Vec<Arg>) -> Result<SqliteArguments, sqlx::error::BoxDynError> {
    let mut out = SqliteArguments::default();
    args.into_iter().try_for_each(|arg| add_sqlite(&mut out, arg))?;
    Ok(out)
}

fn pg_args(args: Vec<Arg>) -> Result<PgArguments, sqlx::error::BoxDynError> {
    use sqlx::Arguments;
    let mut out = PgArguments::default();
    for arg in args {
        match arg {
            Arg::Text(value) => out.add(value)?,
            Arg::TextOpt(value) => out.add(value)?,
            Arg::Int(value) => out.add(value)?,
            Arg::IntOpt(value) => out.add(value)?,
            Arg::Bytes(value) => out.add(value)?,
            Arg::BytesOpt(value) => out.add(value)?,
        }
    }
    Ok(out)
}

/// What keeps several workers from waiting for each other's rows; one writer needs nothing of the kind.
const SKIP_LOCKED: &str = "FOR UPDATE SKIP LOCKED";

/// Whether a statement is said otherwise on one of the engines.
fn differs(sql: &str) -> bool {
    sql.contains("json_rows(") || sql.contains("json_few_rows(") || sql.contains(SKIP_LOCKED)
}

/// What a statement says on one engine: `json_rows($1)` is a set of rows with a JSON column `value`.
fn in_dialect(engine: Engine, sql: &'static str) -> AssertSqlSafe<String> {
    AssertSqlSafe(match engine {
        // Not `json_each`: that would turn each row back into text, to be parsed again for every field read of it.
        Engine::Sqlite => {
            sql.replace("json_rows(", "jsonb_each(").replace("json_few_rows(", "jsonb_each(").replace(SKIP_LOCKED, "")
        }
        // The planner takes an array it does not know yet for ten rows: each is then looked up by its key.
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

#[derive(Debug)]
enum Pools {
    Sqlite {
        /// The one writer of `core.db`.
        core: SqlitePool,
        /// Moves what was committed from the log of `core.db` into it.
        keeper: Keeper,
        /// The one writer of `bulk.db`.
        bulk: SqlitePool,
        /// Readers of both, which cannot write.
        read: SqlitePool,
        /// Where the files are.
        directory: PathBuf,
    },
    Postgres(PgPool),
}

/// A store: cheap to clone.
#[derive(Debug, Clone)]
pub struct Db(Arc<Pools>, Turns);

/// For the writer of bulk tables: an import in the order of months touches pages all over a table. 64 MiB hold most of
/// what one transaction touches, and a checkpoint every 32 MiB of log writes a page once for several changes.
const BULK_TUNING: &str = " PRAGMA bulk.cache_size=-65536; PRAGMA wal_autocheckpoint=8192;";

/// For the writer of core tables: the log's pages, 64 MiB, at which a commit itself moves them into the file, because nobody
/// did it beside (`checkpoint.rs`).
const CORE_CHECKPOINT: &str = "16384";

/// How long PostgreSQL keeps a transaction whose process says nothing, in milliseconds. A gateway that hangs or is cut off
/// looks like one that thinks: what it holds locked would be in the way of sealing and of revocations until TCP gives up,
/// which takes hours. With the sealing interval this must stay under the five seconds others may have to wait.
const SILENCE: &str = "3000";
/// For transactions that stand still rightly: those of imports and runs, and those that only hold a lock.
const MAY_BE_SILENT: &str = "/* db::may_be_silent */ SET LOCAL idle_in_transaction_session_timeout = 0";

/// How long a connection to PostgreSQL that was given back is taken for whole.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// How long a writer waits for SQLite's lock, and a statement for a PostgreSQL lock.
const LOCK_WAIT: Duration = Duration::from_secs(5);

impl Db {
    /// Opens, and where needed creates, the two files in a directory.
    pub async fn open_sqlite(directory: &Path) -> Result<Self, DbError> {
        let setup = |error: sqlx::Error| DbError::Setup(format!("SQLite in {}: {error}", directory.display()));
        // Private from the start: whoever can write here can put another database in this one's place.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| DbError::Setup(format!("{}: {error}", directory.display())))?;
        let core_path = directory.join("core.db");
        let bulk_path = directory.join("bulk.db");
        let options = |path: &Path| {
            SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(LOCK_WAIT)
                .statement_cache_capacity(256)
                // The driver's thread hands rows over one by one, and rests whenever so many wait: not for every fifty.
                .row_buffer_size(4096)
                .disable_statement_logging()
        };
        let core = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(LOCK_WAIT)
            .test_before_acquire(false)
            .connect_with(options(&core_path).pragma("wal_autocheckpoint", CORE_CHECKPOINT))
            .await
            .map_err(setup)?;
        let keeper = Keeper::new(options(&core_path).pragma("wal_autocheckpoint", "0"));
        // Creating the file first lets the attaching writer and readers find it in WAL mode.
        SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options(&bulk_path))
            .await
            .map_err(setup)?
            .close()
            .await;
        let attach = {
            // A path cannot be bound before the connection exists; quotes are doubled as SQL wants.
            let quoted = bulk_path.display().to_string().replace('\'', "''");
            format!("ATTACH DATABASE '{quoted}' AS bulk; PRAGMA bulk.synchronous=FULL;")
        };
        let attaching = |options: SqliteConnectOptions, max: u32, tuning: &'static str| {
            let attach = format!("{attach}{tuning}");
            SqlitePoolOptions::new()
                .max_connections(max)
                .acquire_timeout(LOCK_WAIT)
                .test_before_acquire(false)
                .after_connect(move |connection, _| {
                    let attach = attach.clone();
                    Box::pin(async move { connection.execute(AssertSqlSafe(attach)).await.map(|_| ()) })
                })
                .connect_with(options)
        };
        // The bulk writer's own database is a nameless temporary one. Not `:memory:`: attached files inherit that.
        let nameless = SqliteConnectOptions::new()
            .filename("")
            .foreign_keys(true)
            .busy_timeout(LOCK_WAIT)
            .disable_statement_logging();
        let bulk = attaching(nameless, 1, BULK_TUNING).await.map_err(setup)?;
        let read = attaching(options(&core_path).create_if_missing(false).pragma("query_only", "ON"), 8, "")
            .await
            .map_err(setup)?;
        Ok(Self(
            Arc::new(Pools::Sqlite { core, keeper, bulk, read, directory: directory.to_owned() }),
            Turns::default(),
        ))
    }

    /// Connects to a PostgreSQL database.
    pub async fn open_postgres(url: &str, max_connections: u32) -> Result<Self, DbError> {
        // The URL may carry a password, so it is not repeated.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| {
                DbError::Setup("the PostgreSQL URL is not of the form postgres://user@host:port/database".into())
            })?
            .options([
                ("lock_timeout", "5s"),
                ("search_path", "core"),
                ("idle_in_transaction_session_timeout", SILENCE),
                // Many small statements: compiling one of them costs more than a thousand runs of it.
                ("jit", "off"),
            ])
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(LOCK_WAIT)
            // Whether a connection is still there is asked of those that were idle, and not before every transaction.
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(
                    async move { Ok(about.idle_for < TRUSTED_FOR || sqlx::Connection::ping(connection).await.is_ok()) },
                )
            })
            .connect_with(options)
            .await
            .map_err(|error| DbError::Setup(format!("PostgreSQL: {error}")))?;
        Ok(Self(Arc::new(Pools::Postgres(pool)), Turns::default()))
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match &*self.0 {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// Where SQLite's files are; nowhere on PostgreSQL.
    pub(super) fn directory(&self) -> Option<&Path> {
        match &*self.0 {
            Pools::Sqlite { directory, .. } => Some(directory),
            Pools::Postgres(_) => None,
        }
    }

    /// Begins a transaction that may change core tables. Named, so that its failures and retries can be told apart.
    pub async fn begin(&self, operation: &'static str) -> Result<Tx, DbError> {
        self.1.next("begin").await;
        let begun = match &*self.0 {
            Pools::Sqlite { core, .. } => core.begin_with("BEGIN IMMEDIATE").await.map(Begun::Sqlite),
            Pools::Postgres(pool) => pool.begin().await.map(Begun::Postgres),
        };
        begun.map(|begun| self.tx(begun, operation)).map_err(|error| DbError::of(operation, error))
    }

    /// Begins a transaction that may change bulk tables (named `bulk.…`) and no others.
    pub async fn begin_bulk(&self, operation: &'static str) -> Result<Tx, DbError> {
        self.1.next("begin").await;
        let begun = match &*self.0 {
            Pools::Sqlite { bulk, .. } => bulk.begin_with("BEGIN IMMEDIATE").await.map(Begun::Sqlite),
            Pools::Postgres(pool) => pool.begin().await.map(Begun::Postgres),
        };
        let mut tx = begun.map(|begun| self.tx(begun, operation)).map_err(|error| DbError::of(operation, error))?;
        tx.may_be_silent().await?;
        Ok(tx)
    }

    fn tx(&self, begun: Begun, operation: &'static str) -> Tx {
        Tx { begun, operation, turns: self.1.clone() }
    }

    /// Statements that only read, each on its own, over core and bulk tables.
    pub fn read(&self, operation: &'static str) -> Read<'_> {
        Read { pools: &self.0, operation, turns: &self.1 }
    }

    /// Runs a script of several statements without arguments: migrations only.
    pub(super) async fn script(&self, sql: &'static str) -> Result<(), DbError> {
        let done = match &*self.0 {
            Pools::Sqlite { core, .. } => core.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
            Pools::Postgres(pool) => pool.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
        };
        done.map_err(|error| DbError::of("migrate", error))
    }

    /// Closes every connection, so that the files are whole on return.
    pub async fn close(&self) {
        match &*self.0 {
            Pools::Sqlite { core, keeper, bulk, read, .. } => {
                keeper.close().await;
                read.close().await;
                bulk.close().await;
                core.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

/// Statements that only read, outside a transaction.
#[derive(Debug)]
pub struct Read<'a> {
    pools: &'a Pools,
    operation: &'static str,
    turns: &'a Turns,
}

impl Read<'_> {
    /// Every row.
    pub async fn fetch_all<R: Record>(&self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<R>, DbError> {
        self.turns.next(sql).await;
        match self.pools {
            Pools::Sqlite { read, .. } => fetch_on!(sql, args, R, Sqlite, read, fetch_all, sqlite_args, Engine::Sqlite),
            Pools::Postgres(pool) => fetch_on!(sql, args, R, Postgres, pool, fetch_all, pg_args, Engine::Postgres),
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// The row, if there is one.
    pub async fn fetch_optional<R: Record>(&self, sql: &'static str, args: Vec<Arg>) -> Result<Option<R>, DbError> {
        self.turns.next(sql).await;
        match self.pools {
            Pools::Sqlite { read, .. } => {
                fetch_on!(sql, args, R, Sqlite, read, fetch_optional, sqlite_args, Engine::Sqlite)
            }
            Pools::Postgres(pool) => fetch_on!(sql, args, R, Postgres, pool, fetch_optional, pg_args, Engine::Postgres),
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// The row; an error if there is none.
    pub async fn fetch_one<R: Record>(&self, sql: &'static str, args: Vec<Arg>) -> Result<R, DbError> {
        self.fetch_optional(sql, args)
            .await?
            .ok_or(DbError::Engine { operation: self.operation, source: sqlx::Error::RowNotFound })
    }
}

#[derive(Debug)]
enum Begun {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// A named transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub struct Tx {
    begun: Begun,
    operation: &'static str,
    turns: Turns,
}

impl Tx {
    /// The name it was begun with.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Which engine it runs on.
    pub const fn engine(&self) -> Engine {
        match self.begun {
            Begun::Sqlite(_) => Engine::Sqlite,
            Begun::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a statement and tells how many rows it changed.
    pub async fn execute(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<u64, DbError> {
        self.turns.next(sql).await;
        match &mut self.begun {
            Begun::Sqlite(tx) => execute_on!(sql, args, Sqlite, &mut **tx, sqlite_args, Engine::Sqlite),
            Begun::Postgres(tx) => execute_on!(sql, args, Postgres, &mut **tx, pg_args, Engine::Postgres),
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// Every row.
    pub async fn fetch_all<R: Record>(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<R>, DbError> {
        self.turns.next(sql).await;
        match &mut self.begun {
            Begun::Sqlite(tx) => fetch_on!(sql, args, R, Sqlite, &mut **tx, fetch_all, sqlite_args, Engine::Sqlite),
            Begun::Postgres(tx) => fetch_on!(sql, args, R, Postgres, &mut **tx, fetch_all, pg_args, Engine::Postgres),
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// The row, if there is one.
    pub async fn fetch_optional<R: Record>(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Option<R>, DbError> {
        self.turns.next(sql).await;
        match &mut self.begun {
            Begun::Sqlite(tx) => {
                fetch_on!(sql, args, R, Sqlite, &mut **tx, fetch_optional, sqlite_args, Engine::Sqlite)
            }
            Begun::Postgres(tx) => {
                fetch_on!(sql, args, R, Postgres, &mut **tx, fetch_optional, pg_args, Engine::Postgres)
            }
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// The row; an error if there is none.
    pub async fn fetch_one<R: Record>(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<R, DbError> {
        let operation = self.operation;
        self.fetch_optional(sql, args).await?.ok_or(DbError::Engine { operation, source: sqlx::Error::RowNotFound })
    }

    /// Lets this transaction stand still for as long as it likes: its process may work, or wait, between statements.
    pub(super) async fn may_be_silent(&mut self) -> Result<(), DbError> {
        match self.engine() {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => self.execute(MAY_BE_SILENT, Vec::new()).await.map(|_| ()),
        }
    }

    /// Runs a script of several statements without arguments: migrations and grants only.
    pub(super) async fn script(&mut self, sql: impl Into<String>) -> Result<(), DbError> {
        let sql = AssertSqlSafe(sql.into());
        match &mut self.begun {
            Begun::Sqlite(tx) => (&mut **tx).execute(sqlx::raw_sql(sql)).await.map(|_| ()),
            Begun::Postgres(tx) => (&mut **tx).execute(sqlx::raw_sql(sql)).await.map(|_| ()),
        }
        .map_err(|error| DbError::of(self.operation, error))
    }

    /// Makes the changes durable. On return of `Ok` they are synced; on [`DbError::CommitUnknown`] nobody knows.
    pub async fn commit(self) -> Result<(), DbError> {
        let operation = self.operation;
        self.turns.next("commit").await;
        match self.begun {
            Begun::Sqlite(tx) => tx.commit().await,
            Begun::Postgres(tx) => tx.commit().await,
        }
        .map_err(|source| match DbError::of(operation, source) {
            DbError::Engine { operation, source } => DbError::CommitUnknown { operation, source },
            refused => refused,
        })?;
        metrics::counter!("medcredit_store_commits_total", "operation" => operation).increment(1);
        Ok(())
    }
}
