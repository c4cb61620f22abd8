//! Whoever has the database's own credentials: no trigger, no foreign key and no right stands in the way.

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use super::world::World;
use crate::support::{cluster::cluster, store::Place};

/// Runs statements as the database's owner would, with every protection off.
pub async fn vandalise(world: &World, sql: &str) {
    match world.store.place() {
        Place::Sqlite(directory) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new()
                .filename(directory.path().join("core.db"))
                .foreign_keys(false)
                .busy_timeout(std::time::Duration::from_secs(5));
            let mut connection = options.connect().await.unwrap();
            for table in ["entries", "leaves", "tiles", "checkpoints"] {
                for what in ["update", "delete"] {
                    let drop = format!("DROP TRIGGER IF EXISTS ledger_{table}_no_{what}");
                    connection.execute(AssertSqlSafe(drop)).await.unwrap();
                }
            }
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
            connection.close().await.unwrap();
        }
        Place::Postgres { database } => {
            let options: sqlx::postgres::PgConnectOptions = cluster().url(database).parse().unwrap();
            let mut connection = options.options([("search_path", "core")]).connect().await.unwrap();
            let sql = format!("SET session_replication_role = replica; {sql}");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}
