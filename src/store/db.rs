//! The dialect seam: pools, transactions, arguments and rows, and the few true differences of the two engines.
//!
//! What differs, and is hidden here: how a transaction begins (`BEGIN IMMEDIATE` takes SQLite's one write lock;
//! PostgreSQL reads committed), how rows are made of one JSON parameter (`json_rows($1)` in a statement becomes
//! `jsonb_each` or `jsonb_array_elements`; `json_few_rows($1)` where PostgreSQL must plan for a few rows and not for a
//! hundred), how rows are bound value by value (`rows.rs`) or as one list (`row_list.rs`), how a transaction takes one round
//! trip (`single_roundtrip.rs`), why a server gives no connection (`reach.rs`), and the locks per bank that only an engine with
//! several writers needs. A connection returns to its pool only in a known state (`lent.rs`).
//!
//! SQLite has two files. Writers of `core.db` do not attach `bulk.db`, because `BEGIN IMMEDIATE` would take the write
//! lock of every attached file and a long import would stall the answers. Readers attach both.

mod checkpoint;
mod column;
mod compact;
mod end_journal;
mod lent;
mod locks;
mod open;
mod pools;
mod query_hook;
mod reach;
mod renewal;
mod row_list;
mod rows;
mod single_roundtrip;
mod snapshot;
mod tx;
mod url;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::DbError;
use crate::domain::clock::SharedClock;
use checkpoint::Checkpointer;
pub use column::{Column, RowStatement};
pub use end_journal::{EndJournal, EndRow, NewEnd};
use lent::Limit;
pub(crate) use locks::syncs;
use open::BEGIN_POSTGRES;
pub use open::RESTORING;
pub use pools::PoolUse;
use query_hook::QueryHook;
use reach::Reach;
use renewal::Renewal;
pub use snapshot::{LastCheckpoint, SQLITE_FILES, Snapshot, SnapshotFacts, TableColumns};
use sqlx::{
    Executor, FromRow, PgPool, SqlitePool,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};
use tx::{EngineTx, acquire_sqlite, begin_on};
pub use tx::{Read, Tx};
pub(super) use url::POOLER;

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

#[derive(Debug)]
enum Pools {
    Sqlite {
        /// The one writer of `core.db`.
        core: SqlitePool,
        /// Copies committed pages from the WAL of `core.db` into the file.
        checkpointer: Checkpointer,
        /// The one writer of `bulk.db`.
        bulk: SqlitePool,
        /// Readers of both, which cannot write.
        read: SqlitePool,
        /// Where the files are.
        directory: PathBuf,
    },
    Postgres {
        /// For everything else.
        pool: PgPool,
        /// For appending answers alone: an append never waits behind other work, and few connections that are always in use
        /// keep their plans and tables cached.
        appends: PgPool,
        /// For [`Db::on_dedicated_connection`].
        dedicated: PgPool,
        /// Why the server gives no connection.
        reach: Arc<Reach>,
        /// Which connections are not used any more.
        renewal: Renewal,
    },
}

/// A store: cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pools: Arc<Pools>,
    hook: QueryHook,
    /// Where ends are copied to.
    journal: Option<EndJournal>,
    limit: Limit,
    /// What a test uses as the clock of the database server.
    server_clock: Option<SharedClock>,
}

// Locks now: a transaction that reads first and locks later fails as soon as another has written in between, however long it
// would wait.
const BEGIN_SQLITE: &str = "BEGIN IMMEDIATE";

impl Db {
    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match &*self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres { .. } => Engine::Postgres,
        }
    }

    /// Where SQLite's files are; nowhere on PostgreSQL.
    pub fn directory(&self) -> Option<&Path> {
        match &*self.pools {
            Pools::Sqlite { directory, .. } => Some(directory),
            Pools::Postgres { .. } => None,
        }
    }

    /// The same store, whose server has this clock: a test chooses the time of PostgreSQL too. SQLite has no server.
    #[must_use]
    pub fn with_server_clock(self, clock: SharedClock) -> Self {
        Self { server_clock: Some(clock), ..self }
    }

    /// The clock of [`Db::with_server_clock`].
    pub(super) const fn server_clock(&self) -> Option<&SharedClock> {
        self.server_clock.as_ref()
    }

    /// How many batches of answers may be appended concurrently: on PostgreSQL the server works on one while the gateway
    /// builds the next. More batches would be smaller ones, and the server's cost is by the batch.
    pub fn concurrent_appends(&self) -> u32 {
        match &*self.pools {
            Pools::Sqlite { .. } => 1,
            Pools::Postgres { .. } => open::APPENDS,
        }
    }

    /// The same store over one dedicated connection on PostgreSQL, for a task that runs statements all the time, one after
    /// the other: its connection keeps plans and tables cached, which a connection from a large pool would not.
    #[must_use]
    pub fn on_dedicated_connection(&self) -> Self {
        match &*self.pools {
            Pools::Sqlite { .. } => self.clone(),
            Pools::Postgres { appends, dedicated, reach, renewal, .. } => {
                // The copy's common pool is the dedicated connection, so that all its statements run there.
                let (pool, appends, dedicated) = (dedicated.clone(), appends.clone(), dedicated.clone());
                let (reach, renewal) = (reach.clone(), renewal.clone());
                let pools = Pools::Postgres { pool, appends, dedicated, reach, renewal };
                Self { pools: Arc::new(pools), ..self.clone() }
            }
        }
    }

    /// The same store with a journal outside the database: a commit returns once the ends in it are there, too.
    #[must_use]
    pub fn with_end_journal(&self, journal: EndJournal) -> Self {
        Self { journal: Some(journal), ..self.clone() }
    }

    /// The same store for callers who wait no longer than this for a statement, connection included. Transactions of bulk
    /// tables and those that only hold a lock have no limit. On SQLite nothing is away: there the lock's own limit applies.
    #[must_use]
    pub fn answering_within(&self, limit: Duration) -> Self {
        let limit = if self.engine() == Engine::Postgres { Limit::of(limit) } else { Limit::NONE };
        Self { limit, ..self.clone() }
    }

    /// From here on only new connections to PostgreSQL are used: those that are open may lead to a server that another one has
    /// taken the place of. Those in use are closed when they are returned and taken again.
    pub fn renew_connections(&self) {
        if let Pools::Postgres { renewal, .. } = &*self.pools {
            renewal.renew();
        }
    }

    /// Begins a transaction that may change core tables. Errors and metrics name its `operation`.
    pub async fn begin(&self, operation: &'static str) -> Result<Tx, DbError> {
        self.hook.before("begin").await;
        let inner = match &*self.pools {
            Pools::Sqlite { core, .. } => self.begin_sqlite(core, operation).await?,
            Pools::Postgres { pool, reach, .. } => self.begin_postgres(pool, reach, operation).await?,
        };
        Ok(self.tx(inner, operation))
    }

    /// Begins a transaction that may change bulk tables (named `bulk.…`) and no others.
    pub async fn begin_bulk(&self, operation: &'static str) -> Result<Tx, DbError> {
        self.hook.before("begin").await;
        let inner = match &*self.pools {
            Pools::Sqlite { bulk, .. } => self.begin_sqlite(bulk, operation).await?,
            Pools::Postgres { pool, reach, .. } => self.begin_postgres(pool, reach, operation).await?,
        };
        let mut tx = self.tx(inner, operation);
        // Imports and runs compute for longer between two statements than the limit on idle transactions allows.
        tx.allow_idle().await?;
        Ok(tx)
    }

    async fn begin_sqlite(&self, pool: &SqlitePool, operation: &'static str) -> Result<EngineTx, DbError> {
        let deadline = self.limit.start();
        let lent = acquire_sqlite(pool, operation).await?;
        begin_on(lent, operation, deadline, BEGIN_SQLITE.to_owned()).await.map(EngineTx::Sqlite)
    }

    async fn begin_postgres(&self, pool: &PgPool, reach: &Reach, operation: &'static str) -> Result<EngineTx, DbError> {
        let deadline = self.limit.start();
        let lent = reach.acquire(pool, operation).await?;
        begin_on(lent, operation, deadline, BEGIN_POSTGRES.to_owned()).await.map(EngineTx::Postgres)
    }

    fn tx(&self, inner: EngineTx, operation: &'static str) -> Tx {
        let (hook, journal) = (self.hook.clone(), self.journal.clone());
        Tx { inner, operation, hook, journal, ends: Vec::new(), limit: self.limit }
    }

    /// Statements that only read, each on its own, over core and bulk tables.
    pub fn read(&self, operation: &'static str) -> Read<'_> {
        Read { pools: &self.pools, operation, hook: &self.hook, limit: self.limit }
    }

    /// Runs a script of several statements without arguments: migrations only.
    pub(super) async fn script(&self, sql: &'static str) -> Result<(), DbError> {
        let done = match &*self.pools {
            Pools::Sqlite { core, .. } => core.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
            Pools::Postgres { pool, .. } => pool.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
        };
        done.map_err(|error| DbError::of("migrate", error))
    }

    /// Closes every connection, so that the files are whole on return.
    pub async fn close(&self) {
        match &*self.pools {
            Pools::Sqlite { core, checkpointer, bulk, read, .. } => {
                // SQLite moves a WAL into its file when the file's last connection closes, so every pool is awaited.
                checkpointer.close().await;
                read.close().await;
                bulk.close().await;
                core.close().await;
            }
            Pools::Postgres { pool, appends, dedicated, .. } => {
                dedicated.close().await;
                appends.close().await;
                pool.close().await;
            }
        }
    }
}
