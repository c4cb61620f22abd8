//! Checks what stands behind the configured store: a database that can be written, without a pooler in between, and with the
//! rights that serving needs. Run at start and by `doctor`, which name the cause instead of the statement that would fail.

use super::{
    DbError, args,
    db::{Db, Engine, POOLER, SQLITE_FILES, record},
    grants,
};

record! {
    struct Session {
        standby: i64,
        read_only: String,
        lock_timeout: String,
        search_path: String,
        idle_timeout: String,
        role: String,
    }
}

record! {
    struct SchemaRights {
        name: String,
        usage: i64,
    }
}

record! {
    struct TableRights {
        name: String,
        can_select: i64,
        can_insert: i64,
        can_update: i64,
        can_delete: i64,
    }
}

record! {
    struct FunctionRights {
        name: String,
        can_execute: i64,
    }
}

record! {
    struct Count {
        number: i64,
    }
}

const SESSION: &str = "/* server::examine */ \
    SELECT CAST(CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END AS BIGINT) AS standby, \
           current_setting('transaction_read_only') AS read_only, current_setting('lock_timeout') AS lock_timeout, \
           current_setting('search_path') AS search_path, \
           current_setting('idle_in_transaction_session_timeout') AS idle_timeout, \
           CAST(current_user AS TEXT) AS role";
/// By the schema's number: the function would fail for the name of a schema that does not exist.
const SCHEMA_RIGHTS: &str = "/* server::schemas */ \
    SELECT CAST(nspname AS TEXT) AS name, \
           CAST(CASE WHEN has_schema_privilege(oid, 'USAGE') THEN 1 ELSE 0 END AS BIGINT) AS usage \
    FROM pg_namespace WHERE nspname IN ('core', 'bulk')";
const TABLE_RIGHTS: &str = "/* server::tables */ \
    SELECT n.nspname || '.' || c.relname AS name, \
           CAST(CASE WHEN has_table_privilege(c.oid, 'SELECT') THEN 1 ELSE 0 END AS BIGINT) AS can_select, \
           CAST(CASE WHEN has_table_privilege(c.oid, 'INSERT') THEN 1 ELSE 0 END AS BIGINT) AS can_insert, \
           CAST(CASE WHEN has_table_privilege(c.oid, 'UPDATE') THEN 1 ELSE 0 END AS BIGINT) AS can_update, \
           CAST(CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 1 ELSE 0 END AS BIGINT) AS can_delete \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname IN ('core', 'bulk') AND c.relkind IN ('r', 'p')";
const FUNCTION_RIGHTS: &str = "/* server::functions */ \
    SELECT n.nspname || '.' || p.proname AS name, \
           CAST(CASE WHEN has_function_privilege(p.oid, 'EXECUTE') THEN 1 ELSE 0 END AS BIGINT) AS can_execute \
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'core'";
const MIGRATIONS_TABLE: &str = "/* server::has_schema */ SELECT COUNT(*) AS number FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'";

/// The settings that every connection asks for (`db/open.rs`), as the server shows them.
const SESSION_SETTINGS: (&str, &str, &str) = ("5s", "core", "3s");

/// What keeps the gateway from serving over this store: each with what to do. Call it with this build's schema in place.
pub async fn examine(db: &Db) -> Result<Vec<String>, DbError> {
    match db.engine() {
        Engine::Sqlite => Ok(unwritable_files(db)),
        Engine::Postgres => examine_postgres(db).await,
    }
}

fn unwritable_files(db: &Db) -> Vec<String> {
    let paths = db.directory().into_iter().flat_map(|directory| SQLITE_FILES.map(|name| directory.join(name)));
    // Asked, and not opened: to close any descriptor of a file gives up every lock that this process has on it. Without them
    // another program that opens the database and closes it removes the log into which this one still writes (I1).
    let refused = paths.map(|path| (rustix::fs::access(&path, rustix::fs::Access::WRITE_OK), path));
    refused
        .filter_map(|(asked, path)| {
            let error = std::io::Error::from(asked.err()?);
            Some(format!("{} cannot be written: {error}", path.display()))
        })
        .collect()
}

async fn examine_postgres(db: &Db) -> Result<Vec<String>, DbError> {
    match problems_of_postgres(db).await {
        Err(error) if is_poolers(&error) => Ok(vec![POOLER.into()]),
        found => found,
    }
}

async fn problems_of_postgres(db: &Db) -> Result<Vec<String>, DbError> {
    let session: Session = db.read("server").fetch_one(SESSION, args![]).await?;
    if session.standby != 0 {
        let text = "the database server is a standby, which cannot be written: name the primary in store.url_file, or promote this server";
        return Ok(vec![text.into()]);
    }
    let mut found = Vec::new();
    if session.read_only == "on" {
        found.push(
            "the database is read-only (default_transaction_read_only): switch that off for the role or the database"
                .into(),
        );
    }
    let settings = (&*session.lock_timeout, &*session.search_path, &*session.idle_timeout);
    if settings != SESSION_SETTINGS {
        found.push(POOLER.into());
    }
    let missing = missing_rights(db).await?;
    if !missing.is_empty() {
        let role = &session.role;
        found.push(format!(
            "the role {role} lacks rights ({}): as the role that owns the tables, run `medcredit migrate --app-role {role}`",
            missing.join(", ")
        ));
    }
    Ok(found)
}

/// The rights of [`grants::RIGHTS`] and [`grants::FUNCTIONS`] that the role of the connection does not have.
async fn missing_rights(db: &Db) -> Result<Vec<String>, DbError> {
    let mut missing = Vec::new();
    for schema in db.read("server").fetch_all::<SchemaRights>(SCHEMA_RIGHTS, args![]).await? {
        if schema.usage == 0 {
            missing.push(format!("USAGE on {}", schema.name));
        }
    }
    let tables: Vec<TableRights> = db.read("server").fetch_all(TABLE_RIGHTS, args![]).await?;
    for (table, rights) in grants::RIGHTS {
        // A missing table is a missing migration, which is another error.
        let Some(has) = tables.iter().find(|row| row.name == *table) else { continue };
        let lacks = rights.split(", ").filter(|right| {
            0 == match *right {
                "SELECT" => has.can_select,
                "INSERT" => has.can_insert,
                "UPDATE" => has.can_update,
                _ => has.can_delete,
            }
        });
        missing.extend(lacks.map(|right| format!("{right} on {table}")));
    }
    let functions: Vec<FunctionRights> = db.read("server").fetch_all(FUNCTION_RIGHTS, args![]).await?;
    for name in grants::FUNCTIONS {
        if functions.iter().any(|row| row.name == *name && row.can_execute == 0) {
            missing.push(format!("EXECUTE on {name}"));
        }
    }
    Ok(missing)
}

/// Why the list of migrations could not be read: there is none, or the role may not see it. `error` is the reading's.
pub(super) async fn why_no_schema(db: &Db, error: DbError) -> DbError {
    let found = match db.engine() {
        Engine::Sqlite => why_no_schema_in_sqlite(db).await,
        Engine::Postgres if is_poolers(&error) => Ok(Some(POOLER.to_owned())),
        Engine::Postgres => why_no_schema_in_postgres(db).await,
    };
    match found {
        Ok(Some(cause)) => DbError::Setup(cause),
        Err(other) if is_poolers(&other) => DbError::Setup(POOLER.to_owned()),
        // The schema without its list: a migration that never began, or a table that was dropped.
        Ok(None) if error.is_missing_table() => DbError::Setup(NO_SCHEMA.to_owned()),
        Ok(None) | Err(_) => error,
    }
}

const NO_SCHEMA: &str = "the database has no schema: run `medcredit migrate` first";

async fn why_no_schema_in_sqlite(db: &Db) -> Result<Option<String>, DbError> {
    // A file that is damaged or cannot be read is not one without a schema.
    let tables: Count = db.read("server").fetch_one(MIGRATIONS_TABLE, args![]).await?;
    Ok((tables.number == 0).then(|| NO_SCHEMA.to_owned()))
}

async fn why_no_schema_in_postgres(db: &Db) -> Result<Option<String>, DbError> {
    let schemas: Vec<SchemaRights> = db.read("server").fetch_all(SCHEMA_RIGHTS, args![]).await?;
    if schemas.iter().all(|schema| schema.name != "core") {
        return Ok(Some(NO_SCHEMA.to_owned()));
    }
    let session: Session = db.read("server").fetch_one(SESSION, args![]).await?;
    if !missing_rights(db).await?.is_empty() {
        return Ok(Some(format!(
            "the role {0} may not use the schema: as the role that owns the tables, run `medcredit migrate --app-role {0}`",
            session.role
        )));
    }
    Ok((session.search_path != SESSION_SETTINGS.1).then(|| POOLER.to_owned()))
}

/// Whether a pooler gave the connection a session in which another one has prepared its statements.
fn is_poolers(error: &DbError) -> bool {
    // 42P05: the prepared statement exists already; 26000: it does not exist.
    error.code().is_some_and(|code| matches!(&*code, "42P05" | "26000"))
}
