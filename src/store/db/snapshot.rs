//! A copy of the whole store as of one instant, beside running gateways, and its return.
//!
//! SQLite copies its two files with `VACUUM INTO`. While it does, no other process can change `bulk.db`, so both copies are of
//! the instant at which the copy of `core.db` begins; `core.db` is not locked, and answers are recorded meanwhile. PostgreSQL
//! sends its tables out of one `REPEATABLE READ` transaction, as text: no file of the server is read, any later version of it
//! takes them, and nothing has to be installed.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, FromRow, Postgres, Sqlite,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};

use super::{Db, EngineTx, Pools, Tx, open, record};
use crate::store::DbError;

const OPERATION: &str = "snapshot";
/// The names of SQLite's files.
pub const SQLITE_FILES: [&str; 2] = ["core.db", "bulk.db"];

const LAST_CHECKPOINT: &str =
    "/* snapshot::checkpoint */ SELECT tree_size, root, note FROM ledger_checkpoints ORDER BY tree_size DESC LIMIT 1";
const WAITING: &str = "/* snapshot::waiting */ SELECT CAST(count(*) AS BIGINT) AS number FROM ledger_unsealed";
const MIGRATIONS: &str = "/* snapshot::migrations */ SELECT name FROM schema_migrations ORDER BY number";
const BEGIN_READ: &str = "/* snapshot::begin */ SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0";
const COLUMNS: &str = "/* snapshot::columns */ SELECT table_schema || '.' || table_name AS table_name, column_name \
    FROM information_schema.columns WHERE table_schema IN ('core', 'bulk') ORDER BY 1, ordinal_position";
const REFERENCES: &str = "/* snapshot::references */ SELECT DISTINCT fn.nspname || '.' || f.relname AS from_table, \
    tn.nspname || '.' || t.relname AS to_table FROM pg_constraint c \
    JOIN pg_class f ON f.oid = c.conrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace \
    JOIN pg_class t ON t.oid = c.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace \
    WHERE c.contype = 'f' AND fn.nspname IN ('core', 'bulk') AND c.conrelid <> c.confrelid";

record! {
    struct NameRow {
        name: String,
    }
}

record! {
    struct NumberRow {
        number: i64,
    }
}

record! {
    struct ColumnRow {
        table_name: String,
        column_name: String,
    }
}

record! {
    struct ReferenceRow {
        from_table: String,
        to_table: String,
    }
}

record! {
    /// A signed checkpoint.
    pub struct LastCheckpoint {
        pub tree_size: i64,
        pub root: Vec<u8>,
        pub note: String,
    }
}

/// What a snapshot says of itself.
#[derive(Debug, Clone)]
pub struct SnapshotFacts {
    /// The names of its migrations, in order.
    pub migrations: Vec<String>,
    /// Its newest checkpoint.
    pub checkpoint: Option<LastCheckpoint>,
    /// Number of entries that are not sealed.
    pub waiting: i64,
}

/// A table of PostgreSQL with its columns, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumns {
    /// With its schema.
    pub name: String,
    pub columns: Vec<String>,
}

impl TableColumns {
    /// The table in a COPY. An error for names that would need quoting: no migration makes one.
    fn in_copy(&self) -> Result<String, DbError> {
        let is_plain = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let parts: Vec<_> = self.name.split('.').collect();
        let known = matches!(parts.as_slice(), ["core" | "bulk", table] if is_plain(table));
        if !known || self.columns.is_empty() || !self.columns.iter().all(|column| is_plain(column)) {
            return Err(DbError::Setup(format!("{:?} is not a table of this schema", self.name)));
        }
        Ok(format!("{} ({})", self.name, self.columns.join(", ")))
    }
}

/// Reads the facts of a snapshot over a connection or transaction.
macro_rules! read_facts {
    ($database:ty, $executor:expr) => {{
        let failed = |error| DbError::of(OPERATION, error);
        let names = sqlx::query_as::<$database, NameRow>(MIGRATIONS).fetch_all(&mut $executor).await.map_err(failed)?;
        let checkpoint = sqlx::query_as::<$database, LastCheckpoint>(LAST_CHECKPOINT);
        let checkpoint = checkpoint.fetch_optional(&mut $executor).await.map_err(failed)?;
        let waiting =
            sqlx::query_as::<$database, NumberRow>(WAITING).fetch_one(&mut $executor).await.map_err(failed)?;
        SnapshotFacts {
            migrations: names.into_iter().map(|row| row.name).collect(),
            checkpoint,
            waiting: waiting.number,
        }
    }};
}

impl Db {
    /// Copies both files into a directory, as [`SQLITE_FILES`], and checks the copies. SQLite only.
    pub async fn copy_files(&self, into: &Path) -> Result<SnapshotFacts, DbError> {
        let Pools::Sqlite { directory, .. } = &*self.pools else {
            return Err(DbError::Setup("only SQLite has files to copy".into()));
        };
        // Held until both are copied: what the copy of core names is then in the copy of bulk, neither more nor less.
        let bulk = self.begin_bulk(OPERATION).await?;
        for name in SQLITE_FILES {
            vacuum_into(&directory.join(name), &into.join(name)).await?;
        }
        drop(bulk);
        for name in SQLITE_FILES {
            quick_check(&into.join(name)).await?;
        }
        let mut copy = read_only(&into.join("core.db")).await?;
        let facts = read_facts!(Sqlite, copy);
        copy.close().await.map_err(|error| DbError::of(OPERATION, error))?;
        Ok(facts)
    }

    /// Begins a snapshot. PostgreSQL only.
    pub async fn begin_snapshot(&self) -> Result<Snapshot, DbError> {
        let failed = |error| DbError::of(OPERATION, error);
        let Pools::Postgres { pool, .. } = &*self.pools else {
            return Err(DbError::Setup("only PostgreSQL sends tables".into()));
        };
        let mut tx = pool.begin().await.map_err(failed)?;
        (&mut *tx).execute(sqlx::raw_sql(BEGIN_READ)).await.map_err(failed)?;
        Ok(Snapshot { tx })
    }
}

async fn read_only(file: &Path) -> Result<SqliteConnection, DbError> {
    // Not by the options of the store's own files: they would turn the copy into one with a WAL.
    let options = SqliteConnectOptions::new().filename(file).read_only(true).disable_statement_logging();
    options.connect().await.map_err(|error| DbError::of(OPERATION, error))
}

async fn vacuum_into(file: &Path, into: &Path) -> Result<(), DbError> {
    let failed = |error| DbError::of(OPERATION, error);
    let mut connection = open::options(file).create_if_missing(false).connect().await.map_err(failed)?;
    // A path cannot be bound to this statement by every build of SQLite; quotes are doubled as SQL wants.
    let quoted = into.display().to_string().replace('\'', "''");
    connection.execute(AssertSqlSafe(format!("VACUUM INTO '{quoted}'"))).await.map_err(failed)?;
    connection.close().await.map_err(failed)
}

/// Finds damaged pages now, and not when the copy is needed.
async fn quick_check(file: &Path) -> Result<(), DbError> {
    let failed = |error| DbError::of(OPERATION, error);
    let mut connection = read_only(file).await?;
    let (outcome,): (String,) =
        sqlx::query_as::<Sqlite, _>("PRAGMA quick_check(1)").fetch_one(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    if outcome == "ok" {
        return Ok(());
    }
    Err(DbError::corrupt("snapshot", format!("the copy of {} is damaged: {outcome}", file.display())))
}

/// The tables of PostgreSQL as of one instant.
#[derive(Debug)]
pub struct Snapshot {
    tx: sqlx::Transaction<'static, Postgres>,
}

impl Snapshot {
    /// What it says of itself.
    pub async fn facts(&mut self) -> Result<SnapshotFacts, DbError> {
        Ok(read_facts!(Postgres, *self.tx))
    }

    /// Its tables, each after those that it refers to.
    pub async fn tables(&mut self) -> Result<Vec<TableColumns>, DbError> {
        let columns: Vec<ColumnRow> = self.all(COLUMNS).await?;
        let references: Vec<ReferenceRow> = self.all(REFERENCES).await?;
        let mut tables = BTreeMap::<String, Vec<String>>::new();
        for row in columns {
            tables.entry(row.table_name).or_default().push(row.column_name);
        }
        in_order(tables, &references.into_iter().map(|row| (row.from_table, row.to_table)).collect())
    }

    async fn all<R: for<'r> FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin>(
        &mut self,
        sql: &'static str,
    ) -> Result<Vec<R>, DbError> {
        let rows = sqlx::query_as::<Postgres, R>(sql).fetch_all(&mut *self.tx).await;
        rows.map_err(|error| DbError::of(OPERATION, error))
    }

    /// Sends the rows of a table, each as one text in COPY's format.
    pub async fn copy_out(
        &mut self,
        table: &TableColumns,
        row: &mut (dyn FnMut(&[u8]) -> io::Result<()> + Send),
    ) -> Result<(), DbError> {
        let failed = |error| DbError::of(OPERATION, error);
        let text = format!("COPY {} TO STDOUT", table.in_copy()?);
        let mut rows = self.tx.copy_out_raw(&text).await.map_err(failed)?;
        while let Some(bytes) = rows.try_next().await.map_err(failed)? {
            row(&bytes).map_err(|error| DbError::Setup(format!("the archive cannot be written: {error}")))?;
        }
        Ok(())
    }
}

/// Tables, each after those that it refers to.
fn in_order(
    mut tables: BTreeMap<String, Vec<String>>,
    references: &BTreeSet<(String, String)>,
) -> Result<Vec<TableColumns>, DbError> {
    let mut ordered = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waits = |name: &String| references.iter().any(|(from, to)| from == name && tables.contains_key(to));
        let Some(next) = tables.keys().find(|name| !waits(name)).cloned() else {
            return Err(DbError::Setup("tables refer to each other in a circle".into()));
        };
        if let Some(columns) = tables.remove(&next) {
            ordered.push(TableColumns { name: next, columns });
        }
    }
    Ok(ordered)
}

impl Tx {
    /// Removes the rows of a table, if it has any. PostgreSQL only.
    pub async fn clear_table(&mut self, table: &TableColumns) -> Result<(), DbError> {
        table.in_copy()?;
        // Only where there are rows: the ledger's tables refuse even a deletion of nothing.
        let text =
            format!("DO $$ BEGIN IF EXISTS (SELECT 1 FROM {0}) THEN DELETE FROM {0}; END IF; END $$", table.name);
        self.script(text).await
    }

    /// Adds rows in COPY's format. PostgreSQL only.
    pub async fn copy_in(&mut self, table: &TableColumns, rows: &[u8]) -> Result<(), DbError> {
        let failed = |error| DbError::of(OPERATION, error);
        let EngineTx::Postgres(tx) = &mut self.inner else {
            return Err(DbError::Setup("only PostgreSQL takes tables".into()));
        };
        let text = format!("COPY {} FROM STDIN", table.in_copy()?);
        let mut copy = tx.copy_in_raw(&text).await.map_err(failed)?;
        if let Err(error) = copy.send(rows).await {
            // The transaction is lost in either case; this leaves the connection in order.
            let _ = copy.abort("the rows could not be sent").await;
            return Err(failed(error));
        }
        copy.finish().await.map(|_| ()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_comes_after_those_it_refers_to() {
        let tables = ["core.a", "core.b", "core.c"].map(|name| (name.to_owned(), vec!["id".to_owned()]));
        let pairs = [("core.a", "core.c"), ("core.c", "core.b")];
        let references = pairs.into_iter().map(|(from, to)| (from.to_owned(), to.to_owned())).collect();
        let ordered = in_order(tables.clone().into_iter().collect(), &references).unwrap();
        assert_eq!(ordered.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["core.b", "core.c", "core.a"]);
        let circle = [("core.a", "core.c"), ("core.c", "core.a")];
        let references = circle.into_iter().map(|(from, to)| (from.to_owned(), to.to_owned())).collect();
        assert!(in_order(tables.into_iter().collect(), &references).is_err());
    }

    #[test]
    fn names_that_need_quoting_are_refused() {
        let table = |name: &str, column: &str| TableColumns { name: name.into(), columns: vec![column.into()] };
        assert_eq!(table("core.keys", "id").in_copy().unwrap(), "core.keys (id)");
        for (name, column) in [("core.keys; DROP", "id"), ("pg.keys", "id"), ("core.keys", "id)"), ("keys", "id")] {
            assert!(table(name, column).in_copy().is_err(), "{name} {column}");
        }
    }
}
