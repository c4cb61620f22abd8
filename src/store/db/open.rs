//! Opening a store: the two files of SQLite, or the pools of PostgreSQL, each connection as it has to be.

use std::{os::unix::fs::DirBuilderExt, path::Path, sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, Executor,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    Db, Pools,
    checkpoint::Checkpointer,
    lent::Limit,
    query_hook::QueryHook,
    reach::{POOL_WAIT, Reach},
    renewal::Renewal,
    single_roundtrip::CREATE_FOUND,
    url,
};
use crate::{domain::error_chain, store::DbError};

/// For the writer of bulk tables: an import in the order of months touches pages all over a table. A cache of 64 MiB holds
/// most of what one transaction touches, and a checkpoint every 32 MiB of WAL writes a page once for several changes.
const BULK_TUNING: &str = " PRAGMA bulk.cache_size=-65536; PRAGMA wal_autocheckpoint=8192;";

/// For the writer of core tables: the number of WAL pages (64 MiB) at which a commit itself checkpoints, because the other
/// connection has not (`checkpoint.rs`).
const CORE_CHECKPOINT: &str = "16384";

/// How long PostgreSQL keeps an idle transaction, in milliseconds. A gateway that hangs or is cut off looks like one that
/// computes: its locks would block sealing and revocations until TCP gives up, which takes hours. Together with the sealing
/// interval this must stay under the five seconds that others may have to wait.
const IDLE_TRANSACTION_LIMIT: &str = "3000";
/// How long an idle connection to PostgreSQL is used again without a ping.
const PING_AFTER: Duration = Duration::from_secs(1);

/// How every transaction on PostgreSQL begins, in one round trip. Its commit is acknowledged only when it is on disk, whatever
/// an operator has set since this connection was opened; `remote_apply`, which waits for standbys too, remains (I1).
pub(super) const BEGIN_POSTGRES: &str = "BEGIN; SELECT set_config('synchronous_commit', 'on', true) \
    WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

/// The directory, beside SQLite's files, in which a restore prepares them.
pub const RESTORING: &str = "restoring";

/// How long a writer waits for SQLite's lock, and a statement for a PostgreSQL lock.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// How many of PostgreSQL's connections are kept for the appends of answers.
pub(super) const APPENDS: u32 = 2;
/// And for [`Db::on_dedicated_connection`].
const DEDICATED: u32 = 1;

/// Refuses one file without the other. A new one would be empty, and what the other file refers to would be missing
/// without a trace.
async fn check_both_files(core: &Path, bulk: &Path) -> Result<(), DbError> {
    let missing = |missing: &Path, other: &Path| {
        let (missing, other) = (missing.display(), other.display());
        let text = format!("{missing} is missing, and {other} belongs to it: restore both files from one back-up");
        Err(DbError::Setup(text))
    };
    match (core.exists(), bulk.exists()) {
        (false, true) => missing(core, bulk),
        // The first migration makes the bulk tables before it records anything: killed before that, it starts again.
        (true, false) if is_migrated(core).await? => missing(bulk, core),
        _ => Ok(()),
    }
}

/// Whether a migration of a core file is recorded.
async fn is_migrated(core: &Path) -> Result<bool, DbError> {
    let failed = |error| DbError::of("open", error);
    let mut connection = options(core).create_if_missing(false).connect().await.map_err(failed)?;
    let list = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_migrations'";
    let mut recorded: i64 = sqlx::query_scalar(list).fetch_one(&mut connection).await.map_err(failed)?;
    if recorded > 0 {
        let applied = "SELECT COUNT(*) FROM schema_migrations";
        recorded = sqlx::query_scalar(applied).fetch_one(&mut connection).await.map_err(failed)?;
    }
    connection.close().await.map_err(failed)?;
    Ok(recorded > 0)
}

/// The options of every connection to a file of SQLite's.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        // With a WAL readers do not block the writer; FULL syncs it at every commit (I1).
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(LOCK_WAIT)
        .statement_cache_capacity(256)
        // The driver's thread sends rows one by one and pauses when this many are unread; its default is fifty.
        .row_buffer_size(4096)
        .disable_statement_logging()
}

impl Db {
    fn over(pools: Pools) -> Self {
        let (hook, limit) = (QueryHook::default(), Limit::NONE);
        Self { pools: Arc::new(pools), hook, journal: None, server_clock: None, limit }
    }

    /// Opens, and where needed creates, the two files in a directory.
    pub async fn open_sqlite(directory: &Path) -> Result<Self, DbError> {
        let setup = |error: sqlx::Error| DbError::Setup(format!("SQLite in {}: {error}", directory.display()));
        // Between its two renames a restore has returned one file of two: that is no store (`backup/restore.rs`).
        if directory.join(RESTORING).exists() && !directory.join("core.db").exists() {
            return Err(DbError::Setup(format!(
                "a restore into {} was interrupted: run `medcredit restore` again",
                directory.display()
            )));
        }
        // Private from the start: anybody who can write here can replace the database.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| DbError::Setup(format!("{}: {error}", directory.display())))?;
        let core_path = directory.join("core.db");
        let bulk_path = directory.join("bulk.db");
        check_both_files(&core_path, &bulk_path).await?;
        let core = SqlitePoolOptions::new()
            // SQLite has one writer: transactions queue here in order, and do not poll for its lock.
            .max_connections(1)
            .acquire_timeout(LOCK_WAIT)
            // A connection to a local file does not go stale; a test would be a round trip to its thread.
            .test_before_acquire(false)
            .after_connect(|connection, _| Box::pin(async move { connection.execute(CREATE_FOUND).await.map(|_| ()) }))
            .connect_with(options(&core_path).pragma("wal_autocheckpoint", CORE_CHECKPOINT))
            .await
            .map_err(setup)?;
        let checkpointer = Checkpointer::new(options(&core_path).pragma("wal_autocheckpoint", "0"));
        // Creating the file first lets the attaching writer and readers find it in WAL mode.
        SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options(&bulk_path))
            .await
            .map_err(setup)?
            .close()
            .await;
        let attach = {
            // A path cannot be bound before the connection exists; quotes are doubled as SQL wants.
            let quoted = bulk_path.display().to_string().replace('\'', "''");
            format!("ATTACH DATABASE '{quoted}' AS bulk; PRAGMA bulk.synchronous=FULL;")
        };
        let attaching = |options: SqliteConnectOptions, max: u32, tuning: &'static str| {
            let attach = format!("{attach}{tuning}");
            SqlitePoolOptions::new()
                .max_connections(max)
                .acquire_timeout(LOCK_WAIT)
                .test_before_acquire(false)
                .after_connect(move |connection, _| {
                    let attach = attach.clone();
                    Box::pin(async move { connection.execute(AssertSqlSafe(attach)).await.map(|_| ()) })
                })
                .connect_with(options)
        };
        // The bulk writer's own database is a nameless temporary one. Not `:memory:`: attached files inherit that.
        let nameless = SqliteConnectOptions::new()
            .filename("")
            .foreign_keys(true)
            .busy_timeout(LOCK_WAIT)
            .disable_statement_logging();
        let bulk = attaching(nameless, 1, BULK_TUNING).await.map_err(setup)?;
        // Never creates a file, and with `query_only` a statement that writes fails here.
        let read = attaching(options(&core_path).create_if_missing(false).pragma("query_only", "ON"), 8, "")
            .await
            .map_err(setup)?;
        let pools = Pools::Sqlite { core, checkpointer, bulk, read, directory: directory.to_owned() };
        Ok(Self::over(pools))
    }

    /// Connects to a PostgreSQL database, with at most so many connections, four at the least.
    pub async fn open_postgres(url: &str, max_connections: u32) -> Result<Self, DbError> {
        let options = url::parse(url)
            .map_err(DbError::Setup)?
            .options([
                // A statement behind a lock fails as contention, which callers try again, and does not hang.
                ("lock_timeout", "5s"),
                // Bulk tables are always named with their schema, as on SQLite, where they are in another file.
                ("search_path", "core"),
                // A comparison under a lock needs a snapshot younger than the lock (I2): each statement takes its own,
                // whatever the server's default is.
                ("default_transaction_isolation", "read committed"),
                ("idle_in_transaction_session_timeout", IDLE_TRANSACTION_LIMIT),
                // Many small statements: compiling one of them costs more than a thousand runs of it.
                ("jit", "off"),
            ])
            .disable_statement_logging();
        let renewal = Renewal::default();
        let of = |connections: u32| {
            let renewal = renewal.clone();
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(POOL_WAIT)
                // Only connections that were idle are pinged, not every connection before every transaction.
                .test_before_acquire(false)
                .before_acquire(move |connection, about| {
                    let (allowed, recently_used) = (renewal.allows(about.age), about.idle_for < PING_AFTER);
                    Box::pin(async move {
                        Ok(allowed && (recently_used || sqlx::Connection::ping(connection).await.is_ok()))
                    })
                })
        };
        let reach = Arc::new(Reach::new(options.clone()));
        // All pools count against the maximum, because the server's limit is on the connections of the whole gateway.
        let pool = of(max_connections.saturating_sub(APPENDS + DEDICATED).max(1)).connect_with(options.clone()).await;
        let pool = match pool {
            Ok(pool) => pool,
            Err(sqlx::Error::PoolTimedOut) => {
                let why = reach.problem().await.unwrap_or_else(|| "it accepts connections too slowly".into());
                return Err(DbError::Setup(url::refusal(&why)));
            }
            Err(error) => return Err(DbError::Setup(url::refusal(&error_chain(&error)))),
        };
        // Opened on first use: a command that appends nothing never opens them.
        let (appends, dedicated) =
            (of(APPENDS).connect_lazy_with(options.clone()), of(DEDICATED).connect_lazy_with(options));
        let pools = Pools::Postgres { pool, appends, dedicated, reach, renewal };
        Ok(Self::over(pools))
    }
}
