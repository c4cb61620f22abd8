//! Checks that committed transactions are durable (I1): the database's settings, its standbys, and its clock.

use super::{
    DbError, args,
    db::{Db, Engine, record},
};
use crate::domain::Timestamp;

/// The result of the checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durability {
    /// Problems with which an answer could be released before its record is durable: the gateway must not serve.
    pub refused: Vec<String>,
    /// Problems that the operator should know about.
    pub warned: Vec<String>,
}

record! {
    struct Setting {
        name: String,
        value: String,
    }
}

record! {
    struct Count {
        number: i64,
    }
}

record! {
    struct Instant {
        at: Option<i64>,
    }
}

const SQLITE_SETTINGS: &str = "/* durability::examine */ \
    SELECT 'synchronous' AS name, CAST(synchronous AS TEXT) AS value FROM pragma_synchronous \
    UNION ALL SELECT 'journal_mode', journal_mode FROM pragma_journal_mode";
const POSTGRES_SETTINGS: &str = "/* durability::examine */ SELECT name, setting AS value FROM pg_settings \
    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')";
/// A role without the right to see a standby's state sees null.
const POSTGRES_LAGGARDS: &str = "/* durability::examine */ SELECT COUNT(*) AS number FROM pg_stat_replication \
    WHERE sync_state IS NULL OR sync_state IN ('async', 'potential')";
const POSTGRES_NOW: &str = "/* durability::database_clock */ \
    SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) AS at";
const LAST_SEALED: &str =
    "/* durability::last_sealed */ SELECT sealed_at AS at FROM ledger_checkpoints ORDER BY tree_size DESC LIMIT 1";

/// Checks the settings of the connections that change core tables.
pub async fn examine(db: &Db) -> Result<Durability, DbError> {
    // In a transaction that may write: settings belong to a connection, and the writer's are the ones that count.
    let mut tx = db.begin("durability").await?;
    let mut found = Durability::default();
    match db.engine() {
        Engine::Sqlite => {
            for Setting { name, value } in tx.fetch_all(SQLITE_SETTINGS, args![]).await? {
                // 2 is FULL, 3 is EXTRA.
                if !matches!((name.as_str(), value.as_str()), ("synchronous", "2" | "3") | ("journal_mode", "wal")) {
                    found.refused.push(format!("{name} is {value}"));
                }
            }
        }
        Engine::Postgres => {
            for Setting { name, value } in tx.fetch_all(POSTGRES_SETTINGS, args![]).await? {
                // Below `on` a commit is acknowledged before it is on this server's disk.
                if !matches!(value.as_str(), "on" | "remote_apply") {
                    found.refused.push(format!("{name} is {value}; it must be on"));
                }
            }
            let laggards: Count = tx.fetch_one(POSTGRES_LAGGARDS, args![]).await?;
            if laggards.number > 0 {
                found.warned.push(format!(
                    "{} standby server(s) follow asynchronously: a failover may lose records of answers already given",
                    laggards.number
                ));
            }
        }
    }
    tx.commit().await?;
    Ok(found)
}

/// The database server's own time; SQLite has none.
pub async fn database_clock(db: &Db) -> Result<Option<Timestamp>, DbError> {
    match db.engine() {
        Engine::Sqlite => Ok(None),
        Engine::Postgres => {
            let now: Instant = db.read("durability").fetch_one(POSTGRES_NOW, args![]).await?;
            Ok(now.at.map(Timestamp::from_micros))
        }
    }
}

/// When the newest checkpoint of the ledger was sealed. A clock behind it is wrong.
pub async fn last_sealed(db: &Db) -> Result<Option<Timestamp>, DbError> {
    let last: Option<Instant> = db.read("durability").fetch_optional(LAST_SEALED, args![]).await?;
    Ok(last.and_then(|last| last.at).map(Timestamp::from_micros))
}
