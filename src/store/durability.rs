//! Checks that committed transactions are durable (I1): the database's settings, its standbys, and its clock.
//!
//! These are checks from time to time, for people. That an answer's own record is durable does not depend on them: its
//! transaction is acknowledged when it is on disk, and fails on a server that does not sync (`db/locks.rs`).

use std::sync::{Arc, PoisonError, RwLock};

use super::{
    DbError, args,
    db::{Db, Engine, record},
};
use crate::domain::{Timestamp, error_chain};

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
    struct Standbys {
        synchronous: i64,
        asynchronous: i64,
        unknown: i64,
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
// Not `pg_settings`, which lists four hundred settings for three.
const POSTGRES_SETTINGS: &str = "/* durability::examine */ SELECT name, current_setting(name) AS value \
    FROM (VALUES ('fsync'), ('full_page_writes'), ('synchronous_commit')) AS settings(name)";
/// A role without the right to see a standby's state sees null.
const POSTGRES_STANDBYS: &str = "/* durability::examine */ SELECT \
    COUNT(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) AS synchronous, \
    COUNT(*) FILTER (WHERE sync_state IN ('async', 'potential')) AS asynchronous, \
    COUNT(*) FILTER (WHERE sync_state IS NULL) AS unknown FROM pg_stat_replication";
const POSTGRES_NOW: &str = "/* durability::database_clock */ \
    SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) AS at";

/// What an operator requires beyond a synced disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requirements {
    /// A standby that has every commit before it is acknowledged.
    pub synchronous_standby: bool,
}

/// Checks the settings of the connections that change core tables, and the standbys.
pub async fn examine(db: &Db, requirements: Requirements) -> Result<Durability, DbError> {
    match db.engine() {
        Engine::Sqlite => examine_sqlite(db, requirements).await,
        Engine::Postgres => examine_postgres(db, requirements).await,
    }
}

async fn examine_sqlite(db: &Db, requirements: Requirements) -> Result<Durability, DbError> {
    let mut found = Durability::default();
    // In a transaction that may write: settings belong to a connection, and the writer's are the ones that count.
    let mut tx = db.begin("durability").await?;
    for Setting { name, value } in tx.fetch_all(SQLITE_SETTINGS, args![]).await? {
        // 2 is FULL, 3 is EXTRA.
        if !matches!((name.as_str(), value.as_str()), ("synchronous", "2" | "3") | ("journal_mode", "wal")) {
            found.refused.push(format!("{name} is {value}"));
        }
    }
    tx.commit().await?;
    if requirements.synchronous_standby {
        found.refused.push("SQLite has no standby, and store.require_synchronous_standby is set".into());
    }
    Ok(found)
}

async fn examine_postgres(db: &Db, requirements: Requirements) -> Result<Durability, DbError> {
    let mut found = Durability::default();
    // Outside a transaction: within one `synchronous_commit` is what we have set, and not what the operator has.
    let settings: Vec<Setting> = db.read("durability").fetch_all(POSTGRES_SETTINGS, args![]).await?;
    for Setting { name, value } in settings {
        // Below `on` a commit is acknowledged before it is on this server's disk.
        if !matches!(value.as_str(), "on" | "remote_apply") {
            found.refused.push(format!("{name} is {value}; it must be on"));
        }
    }
    let standbys: Standbys = db.read("durability").fetch_one(POSTGRES_STANDBYS, args![]).await?;
    if requirements.synchronous_standby && standbys.synchronous == 0 {
        found.refused.push(if standbys.unknown > 0 {
            "the gateway's role cannot see whether a standby is synchronous: grant it pg_read_all_stats".into()
        } else {
            "no synchronous standby is connected, and store.require_synchronous_standby is set".into()
        });
    }
    let laggards = standbys.asynchronous + standbys.unknown;
    // With a synchronous standby beside them, those that lag are not the ones to fail over to.
    if laggards > 0 && standbys.synchronous == 0 {
        found.warned.push(format!(
            "{laggards} standby server(s) follow asynchronously: a failover may lose records of answers already given"
        ));
    }
    Ok(found)
}

/// The result of the newest examination of a database in use. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct DurabilityWatch(Arc<RwLock<Option<String>>>);

impl DurabilityWatch {
    /// Examines the database again.
    pub async fn check(&self, db: &Db, requirements: Requirements) {
        let problem = match examine(db, requirements).await {
            Ok(found) if found.refused.is_empty() => None,
            Ok(found) => Some(found.refused.join("; ")),
            Err(error) => Some(error_chain(&error)),
        };
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match (&*known, &problem) {
            (old, Some(new)) if old.as_ref() != Some(new) => {
                tracing::error!(reason = new, "the database may lose committed data, or cannot be asked");
            }
            (Some(_), None) => tracing::info!("the database is durable again"),
            _ => {}
        }
        *known = problem;
    }

    /// What is wrong, as last examined.
    pub fn problem(&self) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The database server's own time; SQLite has none.
pub async fn database_clock(db: &Db) -> Result<Option<Timestamp>, DbError> {
    match db.engine() {
        Engine::Sqlite => Ok(None),
        Engine::Postgres => {
            if let Some(clock) = db.server_clock() {
                return Ok(Some(clock.now()));
            }
            let now: Instant = db.read("durability").fetch_one(POSTGRES_NOW, args![]).await?;
            Ok(now.at.map(Timestamp::from_micros))
        }
    }
}
