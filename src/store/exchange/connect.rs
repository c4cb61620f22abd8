//! The connections to a database: a small pool, made again when the file with the address changes.

use std::{path::Path, str::FromStr as _};

use sqlx::{
    ConnectOptions as _, Connection, Executor as _,
    mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions},
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use tokio::sync::Mutex;

use super::{
    ExchangeAccess,
    error::{ExchangeError, failed},
};

/// The address is not repeated in errors, because it has a password.
const FORM: &str = "write one line, engine://USER:PASSWORD@HOST:PORT/DATABASE, with the engine postgres or mysql as in the \
                    platform's file; in user and password write @ as %40, / as %2F, # as %23, ? as %3F, : as %3A, % as %25";

/// The pool of the engine, with the address for which it was made.
#[derive(Debug, Default)]
pub(super) struct Pools {
    postgres: Mutex<Option<(String, PgPool)>>,
    mariadb: Mutex<Option<(String, MySqlPool)>>,
}

impl Pools {
    pub(super) async fn postgres(&self, access: &ExchangeAccess) -> Result<PgPool, ExchangeError> {
        let url = read_url(&access.url_file, &["postgres://", "postgresql://"]).await?;
        let mut held = self.postgres.lock().await;
        if let Some((_, pool)) = held.as_ref().filter(|(known, _)| *known == url) {
            return Ok(pool.clone());
        }
        let options = PgConnectOptions::from_str(&url).map_err(|_| bad_url(&access.url_file))?;
        let limit = access.timeout.as_millis();
        // By statements and not as parameters of the connection, which a pooler in between would refuse. The database ends what
        // the gateway no longer waits for. Times are the city's.
        let session = format!(
            "SET statement_timeout = {limit}; SET lock_timeout = {limit}; \
             SET TIME ZONE INTERVAL '+08:00' HOUR TO MINUTE; SET default_transaction_isolation = 'read committed'"
        );
        let pool = PgPoolOptions::new()
            .max_connections(access.connections)
            .min_connections(0)
            .acquire_timeout(access.connect_timeout)
            .after_connect(move |connection, _| {
                let session = sqlx::AssertSqlSafe(session.clone());
                Box::pin(async move { connection.execute(sqlx::raw_sql(session)).await.map(drop) })
            })
            .connect_lazy_with(options);
        check(pool.connect_options().connect(), access).await?;
        *held = Some((url, pool.clone()));
        Ok(pool)
    }

    pub(super) async fn mariadb(&self, access: &ExchangeAccess) -> Result<MySqlPool, ExchangeError> {
        let url = read_url(&access.url_file, &["mysql://", "mariadb://"]).await?;
        let mut held = self.mariadb.lock().await;
        if let Some((_, pool)) = held.as_ref().filter(|(known, _)| *known == url) {
            return Ok(pool.clone());
        }
        let options = MySqlConnectOptions::from_str(&url).map_err(|_| bad_url(&access.url_file))?;
        // The city's time; and every writer's values as they are: a text that is too long is refused, never cut.
        let options = options.timezone(Some("+08:00".to_owned())).charset("utf8mb4");
        let limit = access.timeout.as_secs().max(1);
        let session = format!(
            "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), SESSION innodb_lock_wait_timeout = {limit}, \
             SESSION lock_wait_timeout = {limit}; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
        );
        let pool = MySqlPoolOptions::new()
            .max_connections(access.connections)
            .min_connections(0)
            .acquire_timeout(access.connect_timeout)
            .after_connect(move |connection, _| {
                let session = sqlx::AssertSqlSafe(session.clone());
                Box::pin(async move { connection.execute(sqlx::raw_sql(session)).await.map(drop) })
            })
            .connect_lazy_with(options);
        check(pool.connect_options().connect(), access).await?;
        *held = Some((url, pool.clone()));
        Ok(pool)
    }
}

/// Connects once before a pool is used: a pool only says that it got no connection in time, and not why.
async fn check<C: Connection>(
    connecting: impl Future<Output = Result<C, sqlx::Error>>,
    access: &ExchangeAccess,
) -> Result<(), ExchangeError> {
    let connected = tokio::time::timeout(access.connect_timeout, connecting).await;
    let connection = connected.map_err(|_| ExchangeError::Timeout)?.map_err(|error| failed(&error))?;
    // Whatever its end says: it was there.
    let _ = connection.close().await;
    Ok(())
}

fn bad_url(path: &Path) -> ExchangeError {
    ExchangeError::UrlFile(format!("{} has no address that can be used: {FORM}", path.display()))
}

async fn read_url(path: &Path, schemes: &[&str]) -> Result<String, ExchangeError> {
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| ExchangeError::UrlFile(format!("{} cannot be read: {error}", path.display())))?;
    let url = text.trim();
    if schemes.iter().any(|scheme| url.starts_with(scheme)) && !url.contains(char::is_whitespace) {
        return Ok(url.to_owned());
    }
    Err(bad_url(path))
}
