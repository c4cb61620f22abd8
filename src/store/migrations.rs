//! Migrates a database to the schema of this build: paired files, forward only, all that are missing in one transaction.

use super::{
    DbError, args,
    db::{Db, Engine, Tx, record},
    pair, server,
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
    migration!(14, "0014_history", bulk: false),
    migration!(15, "0015_answers_counted", bulk: false),
    migration!(16, "0016_gateway_clocks", bulk: false),
    migration!(17, "0017_failover", bulk: false),
    migration!(18, "0018_fact_states", bulk: false),
    migration!(19, "0019_voids", bulk: true),
    migration!(20, "0020_objections", bulk: false),
    migration!(21, "0021_run_method", bulk: false),
    migration!(22, "0022_subject_statuses", bulk: false),
    migration!(23, "0023_push", bulk: false),
    migration!(24, "0024_operators", bulk: false),
    migration!(25, "0025_approvals", bulk: false),
];

record! {
    struct AppliedRow {
        number: i64,
        name: String,
    }
}

record! {
    struct CountRow {
        number: i64,
    }
}

const COUNT_BULK_TABLES: &str =
    "/* migrations::bulk_tables */ SELECT COUNT(*) AS number FROM bulk.sqlite_master WHERE type = 'table'";
const CREATE_LIST_SQLITE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)";
const CREATE_LIST_POSTGRES: &str = "CREATE SCHEMA IF NOT EXISTS core; CREATE SCHEMA IF NOT EXISTS bulk; CREATE TABLE IF NOT EXISTS core.schema_migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)";
const LOCK_POSTGRES: &str =
    "/* migrations::lock */ SELECT pg_advisory_xact_lock(hashtextextended('medcredit:migrations', 0))";
const LIST_APPLIED: &str = "/* migrations::applied */ SELECT number, name FROM schema_migrations ORDER BY number";
const RECORD_APPLIED: &str =
    "/* migrations::record */ INSERT INTO schema_migrations (number, name, applied_at) VALUES ($1, $2, $3)";

/// Migrations that were applied in a transaction which is still open, so that the caller can record them in it.
#[derive(Debug)]
pub struct Pending {
    /// The transaction: dropped, it leaves the schema as it was.
    pub tx: Tx,
    /// The names of the migrations that it applies, in order; empty when the schema is this build's already.
    pub applied: Vec<&'static str>,
}

/// Applies what is missing and returns the names of what was applied.
pub async fn migrate(db: &Db, clock: &dyn Clock) -> Result<Vec<&'static str>, DbError> {
    let Pending { tx, applied } = begin(db, clock).await?;
    tx.commit().await?;
    Ok(applied)
}

/// Applies what is missing in one transaction, which the caller commits. A crash before the commit leaves the old schema.
///
/// The bulk tables of SQLite are in a file of their own, which no transaction of the core file covers. Their migrations
/// say IF NOT EXISTS and run first: after a crash they are applied again.
pub async fn begin(db: &Db, clock: &dyn Clock) -> Result<Pending, DbError> {
    if db.engine() == Engine::Sqlite {
        db.script(CREATE_LIST_SQLITE).await?;
        let applied = applied_numbers(db.read("migrate").fetch_all(LIST_APPLIED, args![]).await?)?;
        for step in missing(&applied).filter(|step| step.bulk) {
            let mut bulk = db.begin_bulk("migrate").await?;
            bulk.script(step.sqlite).await?;
            bulk.commit().await?;
        }
    }
    let mut tx = db.begin("migrate").await?;
    if db.engine() == Engine::Postgres {
        lock(&mut tx).await?;
        tx.allow_idle().await?;
        tx.script(CREATE_LIST_POSTGRES).await?;
    }
    // Read again under the lock: another process may have migrated while this one waited.
    let applied = applied_numbers(tx.fetch_all(LIST_APPLIED, args![]).await?)?;
    let mut done = Vec::new();
    for step in missing(&applied) {
        match db.engine() {
            // Applied above to the other file; here it is only recorded.
            Engine::Sqlite if step.bulk => {}
            Engine::Sqlite => tx.script(step.sqlite).await?,
            Engine::Postgres => tx.script(step.postgres).await?,
        }
        tx.execute(RECORD_APPLIED, args![step.number, step.name, clock.now()]).await?;
        done.push(step.name);
    }
    Ok(Pending { tx, applied: done })
}

/// Two operators who migrate or restore together would otherwise create the same tables. PostgreSQL only.
pub(super) async fn lock(tx: &mut Tx) -> Result<(), DbError> {
    tx.execute(LOCK_POSTGRES, args![]).await.map(|_| ())
}

/// Creates the schema as it was after the named migrations, without recording them: a restore brings that table's rows.
/// PostgreSQL only.
pub(super) async fn create_at(tx: &mut Tx, names: &[String]) -> Result<(), DbError> {
    check_known(names)?;
    tx.script(CREATE_LIST_POSTGRES).await?;
    for step in MIGRATIONS.iter().filter(|step| names.iter().any(|name| name == step.name)) {
        tx.script(step.postgres).await?;
    }
    Ok(())
}

/// Checks that this build knows every one of the named migrations.
pub fn check_known(names: &[String]) -> Result<(), DbError> {
    match names.iter().find(|name| !MIGRATIONS.iter().any(|step| step.name == name.as_str())) {
        None => Ok(()),
        Some(name) => Err(DbError::Setup(format!("this build does not know migration {name}: use a newer one"))),
    }
}

/// The migrations that are not applied yet, in order.
fn missing(applied: &[i64]) -> impl Iterator<Item = &'static Migration> {
    MIGRATIONS.iter().filter(|step| !applied.contains(&step.number))
}

/// The numbers of the applied migrations, each of which must be one of this build's.
fn applied_numbers(rows: Vec<AppliedRow>) -> Result<Vec<i64>, DbError> {
    for row in &rows {
        match MIGRATIONS.iter().find(|step| step.number == row.number) {
            Some(step) if step.name == row.name => {}
            _ => {
                return Err(DbError::Setup(format!(
                    "the database has migration {} ({}), which this build does not know: a newer build migrated it",
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
    let rows = match db.read("migrate").fetch_all(LIST_APPLIED, args![]).await {
        Ok(rows) => rows,
        Err(error @ DbError::Engine { .. }) => return Err(server::why_no_schema(db, error).await),
        Err(error) => return Err(error),
    };
    if let Some(missing) = missing(&applied_numbers(rows)?).next() {
        return Err(DbError::Setup(format!("the database lacks migration {}: {advice}", missing.name)));
    }
    if db.engine() == Engine::Sqlite {
        let tables: CountRow = db.read("migrate").fetch_one(COUNT_BULK_TABLES, args![]).await?;
        if tables.number == 0 {
            let text = "bulk.db is not the one of this core.db: it has no tables. Restore both files from one back-up";
            return Err(DbError::Setup(text.into()));
        }
        pair::check(db).await?;
    }
    Ok(())
}
