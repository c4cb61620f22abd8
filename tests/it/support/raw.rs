//! The raw content of a store, as a thief or the database's administrator reads it: without the store room and without keys.

use std::fmt::Write;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection};

use super::store::{StoreLocation, TestStore};

/// The whole content: on SQLite the files with their logs, on PostgreSQL every row of every table as text.
pub async fn everything(store: &TestStore) -> Vec<u8> {
    match store.location() {
        StoreLocation::Sqlite(directory) => {
            let mut all = Vec::new();
            let mut logs = 0;
            for entry in std::fs::read_dir(directory.path()).unwrap() {
                let path = entry.unwrap().path();
                logs += u32::from(path.to_string_lossy().ends_with("-wal"));
                all.extend(std::fs::read(path).unwrap());
            }
            assert!(logs > 0, "the write-ahead log is included");
            all
        }
        StoreLocation::Postgres { .. } => dump(store.url()).await.into_bytes(),
    }
}

async fn dump(url: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let tables = "SELECT table_schema || '.' || table_name FROM information_schema.tables \
                  WHERE table_schema IN ('core', 'bulk') AND table_type = 'BASE TABLE'";
    let tables = sqlx::query(tables).fetch_all(&mut connection).await.unwrap();
    let mut text = String::new();
    for table in tables {
        let table: String = table.get(0);
        let rows = AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
        for row in sqlx::query(rows).fetch_all(&mut connection).await.unwrap() {
            writeln!(text, "{table} {}", row.get::<String, _>(0)).unwrap();
        }
    }
    text
}

/// Runs statements as the database's owner. Core tables are named without their schema.
pub async fn execute(store: &TestStore, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    match store.location() {
        StoreLocation::Sqlite(directory) => {
            let url = format!("sqlite://{}", directory.path().join("core.db").display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            // Bulk tables are in a file of their own.
            let attach = format!("ATTACH DATABASE '{}' AS bulk", directory.path().join("bulk.db").display());
            connection.execute(AssertSqlSafe(attach)).await.unwrap();
            connection.execute(sql).await.unwrap();
            connection.close().await.unwrap();
        }
        StoreLocation::Postgres { .. } => {
            let mut connection = PgConnection::connect(store.url()).await.unwrap();
            connection.execute("SET search_path = core").await.unwrap();
            connection.execute(sql).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// Whether a text occurs in the content, unchanged or as hexadecimal digits of its bytes.
pub fn holds(all: &[u8], text: &str) -> bool {
    let hex = data_encoding::HEXLOWER.encode(text.as_bytes());
    [text.as_bytes(), hex.as_bytes()].iter().any(|wanted| all.windows(wanted.len()).any(|window| window == *wanted))
}
