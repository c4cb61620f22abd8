//! An attacker with the database owner's credentials, whom no trigger, foreign key or right stops.

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::fixture::LedgerFixture;
use crate::support::{TestStore, cluster::cluster, store::StoreLocation};

/// Runs statements as the database's owner, with every protection disabled.
pub async fn vandalise(fixture: &LedgerFixture, sql: &str) {
    vandalise_store(&fixture.store, sql).await;
}

/// Turns the ledger of a store back to its first leaves, as a restore of an older backup does. Entries that wait to be
/// sealed are lost, too.
pub async fn turn_back(store: &TestStore, leaves: u64) {
    let later = format!("(SELECT entry_id FROM ledger_leaves WHERE leaf_index >= {leaves})");
    let waiting = "(SELECT entry_id FROM ledger_unsealed)";
    let sql = format!(
        "DELETE FROM ledger_openings WHERE entry_id IN {later} OR entry_id IN {waiting}; \
         DELETE FROM ledger_entries WHERE id IN {later} OR id IN {waiting}; DELETE FROM ledger_unsealed; \
         DELETE FROM ledger_leaves WHERE leaf_index >= {leaves}; DELETE FROM ledger_checkpoints WHERE tree_size > {leaves}"
    );
    vandalise_store(store, &sql).await;
}

/// [`vandalise`] for any store.
pub async fn vandalise_store(store: &TestStore, sql: &str) {
    match store.location() {
        StoreLocation::Sqlite(directory) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new()
                .filename(directory.path().join("core.db"))
                .foreign_keys(false)
                .busy_timeout(std::time::Duration::from_secs(5));
            let mut connection = options.connect().await.unwrap();
            for table in
                ["ledger_entries", "ledger_leaves", "ledger_tiles", "ledger_checkpoints", "ledger_epochs", "ends"]
            {
                for what in ["update", "delete"] {
                    let drop = format!("DROP TRIGGER IF EXISTS {table}_no_{what}");
                    connection.execute(AssertSqlSafe(drop)).await.unwrap();
                }
            }
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
            connection.close().await.unwrap();
        }
        StoreLocation::Postgres { database } => {
            let options: sqlx::postgres::PgConnectOptions = cluster().url(database).parse().unwrap();
            let mut connection = options.options([("search_path", "core")]).connect().await.unwrap();
            let sql = format!("SET session_replication_role = replica; {sql}");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}
