//! The dialect seam: pools, transactions, arguments and rows, and the few true differences of the two engines.
//!
//! What differs, and is hidden here: how a transaction begins (`BEGIN IMMEDIATE` takes SQLite's one write lock;
//! PostgreSQL reads committed), how rows are made of one JSON parameter (`json_rows($1)` in a statement becomes
//! `jsonb_each` or `jsonb_array_elements`; `json_few_rows($1)` where PostgreSQL must plan for a few rows and not for a
//! hundred), how rows are bound value by value (`rows.rs`) or listed (`listed.rs`), how a transaction is one turn of the engine
//! (`whole.rs`), and the locks per bank that only an engine with several writers needs.
//!
//! SQLite has two files. Writers of `core.db` do not attach `bulk.db`, because `BEGIN IMMEDIATE` would take the write
//! lock of every attached file and a long import would stall the answers. Readers attach both.

mod checkpoint;
mod compact;
mod locks;
mod open;
mod query_hook;
mod row_list;
mod rows;
mod single_roundtrip;
mod tx;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::DbError;
use checkpoint::Keeper;
use query_hook::Turns;
pub use rows::Column;
use sqlx::{
    Executor, FromRow, PgPool, SqlitePool,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};
use tx::Begun;
pub use tx::{Read, Tx};

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
        /// Moves what was committed from the log of `core.db` into it.
        keeper: Keeper,
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
        /// For what every answer needs, and nothing else: it never waits behind the rest, and few connections that are used
        /// all the time have their plans and tables at hand.
        appends: PgPool,
        /// For [`Db::apart`].
        apart: PgPool,
    },
}

/// A store: cheap to clone.
#[derive(Debug, Clone)]
pub struct Db(Arc<Pools>, Turns);

/// Boxed: waiting for a connection takes four kilobytes, which whatever may begin a transaction would carry about.
async fn begin_postgres(pool: &PgPool) -> Result<Begun, sqlx::Error> {
    Box::pin(pool.begin()).await.map(Begun::Postgres)
}

impl Db {
    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match &*self.0 {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres { .. } => Engine::Postgres,
        }
    }

    /// Where SQLite's files are; nowhere on PostgreSQL.
    pub(super) fn directory(&self) -> Option<&Path> {
        match &*self.0 {
            Pools::Sqlite { directory, .. } => Some(directory),
            Pools::Postgres { .. } => None,
        }
    }

    /// How many batches of answers may be appended at once: on PostgreSQL the server works on one while the gateway makes
    /// the next. Of more, each is smaller, and the server's price is by the batch.
    pub fn appends_at_once(&self) -> u32 {
        match &*self.0 {
            Pools::Sqlite { .. } => 1,
            Pools::Postgres { .. } => open::APPENDS,
        }
    }

    /// The same store for one task that works all the time and does one thing after the other: on PostgreSQL over one
    /// connection of its own, which has plans and tables at hand. Of many, each would be cold when its turn comes.
    #[must_use]
    pub fn apart(&self) -> Self {
        match &*self.0 {
            Pools::Sqlite { .. } => self.clone(),
            Pools::Postgres { appends, apart, .. } => {
                let (pool, appends, apart) = (apart.clone(), appends.clone(), apart.clone());
                Self(Arc::new(Pools::Postgres { pool, appends, apart }), self.1.clone())
            }
        }
    }

    /// Begins a transaction that may change core tables. Named, so that its failures and retries can be told apart.
    pub async fn begin(&self, operation: &'static str) -> Result<Tx, DbError> {
        self.1.next("begin").await;
        let begun = match &*self.0 {
            Pools::Sqlite { core, .. } => core.begin_with("BEGIN IMMEDIATE").await.map(Begun::Sqlite),
            Pools::Postgres { pool, .. } => begin_postgres(pool).await,
        };
        begun.map(|begun| self.tx(begun, operation)).map_err(|error| DbError::of(operation, error))
    }

    /// Begins a transaction that may change bulk tables (named `bulk.…`) and no others.
    pub async fn begin_bulk(&self, operation: &'static str) -> Result<Tx, DbError> {
        self.1.next("begin").await;
        let begun = match &*self.0 {
            Pools::Sqlite { bulk, .. } => bulk.begin_with("BEGIN IMMEDIATE").await.map(Begun::Sqlite),
            Pools::Postgres { pool, .. } => begin_postgres(pool).await,
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
            Pools::Postgres { pool, .. } => pool.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
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
            Pools::Postgres { pool, appends, apart } => {
                apart.close().await;
                appends.close().await;
                pool.close().await;
            }
        }
    }
}
