//! Migrates a database to the schema of this build: paired files, forward only, each applied once and in one transaction.

use super::{
    DbError, args,
    db::{Db, Engine, record},
};
use crate::domain::Clock;

/// One step of the schema in both dialects.
#[derive(Debug)]
pub struct Migration {
    /// Its number in the order.
    pub number: i64,
    /// Its name, the same for both engines.
    pub name: &'static str,
    /// Whether it creates bulk tables, which SQLite keeps in a file of their own.
    pub bulk: bool,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migration {
    ($number:literal, $file:literal, bulk: $bulk:literal) => {
        Migration {
            number: $number,
            name: $file,
            bulk: $bulk,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $file, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $file, ".sql")),
        }
    };
}

/// Every step, in order.
pub const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_core", bulk: false),
    migration!(2, "0002_bulk", bulk: true),
    migration!(3, "0003_assessment_levels", bulk: false),
    migration!(4, "0004_signed_requests", bulk: false),
    migration!(5, "0005_outbox", bulk: false),
    migration!(6, "0006_deliveries_in", bulk: false),
    migration!(7, "0007_runs_kept", bulk: false),
    migration!(8, "0008_fact_chunks", bulk: true),
    migration!(9, "0009_idempotency_keys", bulk: false),
    migration!(10, "0010_ledger_queue", bulk: false),
    migration!(11, "0011_run_states", bulk: false),
    migration!(12, "0012_personal_parts", bulk: false),
    migration!(13, "0013_ledger_one_turn", bulk: false),
];

record! {
    struct AppliedRow {
        number: i64,
        name: String,
    }
}

const CREATE_LIST_SQLITE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)";
const CREATE_LIST_POSTGRES: &str = "CREATE SCHEMA IF NOT EXISTS core; CREATE SCHEMA IF NOT EXISTS bulk; CREATE TABLE IF NOT EXISTS core.schema_migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)";
const LIST_APPLIED: &str = "/* migrations::applied */ SELECT number, name FROM schema_migrations ORDER BY number";
const RECORD_APPLIED: &str =
    "/* migrations::record */ INSERT INTO schema_migrations (number, name, applied_at) VALUES ($1, $2, $3)";

/// Applies the missing steps and returns their names.
///
/// A core step and its row are one transaction, so no crash separates them. A bulk step on SQLite changes another file: it
/// uses IF NOT EXISTS, so that it can be applied again, and its row is written after it.
pub async fn migrate(db: &Db, clock: &dyn Clock) -> Result<Vec<&'static str>, DbError> {
    db.script(match db.engine() {
        Engine::Sqlite => CREATE_LIST_SQLITE,
        Engine::Postgres => CREATE_LIST_POSTGRES,
    })
    .await?;
    let applied = applied(db).await?;
    let mut done = Vec::new();
    for step in MIGRATIONS.iter().filter(|step| !applied.contains(&step.number)) {
        apply(db, step, clock).await?;
        done.push(step.name);
    }
    Ok(done)
}

async fn apply(db: &Db, step: &Migration, clock: &dyn Clock) -> Result<(), DbError> {
    if db.engine() == Engine::Sqlite && step.bulk {
        let mut bulk = db.begin_bulk("migrate").await?;
        bulk.script(step.sqlite).await?;
        bulk.commit().await?;
    }
    let mut tx = db.begin("migrate").await?;
    match db.engine() {
        Engine::Sqlite if step.bulk => {}
        Engine::Sqlite => tx.script(step.sqlite).await?,
        Engine::Postgres => tx.script(step.postgres).await?,
    }
    tx.execute(RECORD_APPLIED, args![step.number, step.name, clock.now()]).await?;
    tx.commit().await
}

async fn applied(db: &Db) -> Result<Vec<i64>, DbError> {
    let rows: Vec<AppliedRow> = db.read("migrate").fetch_all(LIST_APPLIED, args![]).await?;
    for row in &rows {
        match MIGRATIONS.iter().find(|step| step.number == row.number) {
            Some(step) if step.name == row.name => {}
            _ => {
                return Err(DbError::Setup(format!(
                    "the database has step {} ({}), which this build does not know: it was migrated by a newer one",
                    row.number, row.name
                )));
            }
        }
    }
    Ok(rows.into_iter().map(|row| row.number).collect())
}

/// Checks that a database has exactly the schema of this build; the error names the command to run.
pub async fn check(db: &Db) -> Result<(), DbError> {
    let advice = "run `medcredit migrate` first";
    let applied = applied(db).await.map_err(|error| match error {
        DbError::Engine { .. } => DbError::Setup(format!("the database has no schema: {advice}")),
        other => other,
    })?;
    match MIGRATIONS.iter().find(|step| !applied.contains(&step.number)) {
        None => Ok(()),
        Some(missing) => Err(DbError::Setup(format!("the database lacks step {}: {advice}", missing.name))),
    }
}
