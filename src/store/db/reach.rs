//! Why PostgreSQL gives no connection. A pool that waited in vain reports a timeout and not what it waited for: a server that
//! refuses, starts up or is gone looks like a pool whose connections are all in use.

use std::{fmt, time::Duration};

use sqlx::{Connection as _, PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::lent::LentConnection;
use crate::{domain::error_chain, store::DbError};

/// How long a pool waits for a connection: less than a caller waits, so that there is time to ask why it got none.
pub(super) const POOL_WAIT: Duration = Duration::from_millis(2500);
/// How long a connection of its own may take to find out.
const PROBE_LIMIT: Duration = Duration::from_millis(500);
/// How long what was found out is good for others who wait.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// Finds out whether the server can be reached. Clones of a store share it.
pub(super) struct Reach {
    options: PgConnectOptions,
    /// When it was last tried, and what was wrong.
    last: Mutex<Option<(Instant, Option<String>)>>,
}

impl fmt::Debug for Reach {
    // Without the options, which contain the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reach")
    }
}

impl Reach {
    pub(super) const fn new(options: PgConnectOptions) -> Self {
        Self { options, last: Mutex::const_new(None) }
    }

    /// Takes a connection from a pool. Boxed: waiting for one takes four kilobytes, by which every future that may take a
    /// connection would grow.
    pub(super) async fn acquire(
        &self,
        pool: &PgPool,
        operation: &'static str,
    ) -> Result<LentConnection<sqlx::Postgres>, DbError> {
        match Box::pin(pool.acquire()).await {
            Ok(connection) => Ok(LentConnection::new(connection)),
            Err(sqlx::Error::PoolTimedOut) => Err(match self.problem().await {
                Some(cause) => DbError::unreachable(operation, cause),
                None => DbError::of(operation, sqlx::Error::PoolTimedOut),
            }),
            Err(error) => Err(DbError::of(operation, error)),
        }
    }

    /// What is wrong with the server; nothing when it accepts connections.
    pub(super) async fn problem(&self) -> Option<String> {
        // One tries and the others wait for the result: a server in trouble is not asked by everybody.
        let mut last = self.last.lock().await;
        if let Some((at, known)) = &*last
            && at.elapsed() < KNOWN_FOR
        {
            return known.clone();
        }
        let problem = match timeout(PROBE_LIMIT, sqlx::PgConnection::connect_with(&self.options)).await {
            Ok(Ok(connection)) => {
                // It was connected, which is all there is to know; an error of closing it changes nothing.
                let _ = timeout(PROBE_LIMIT, connection.close()).await;
                None
            }
            Ok(Err(error)) => Some(error_chain(&error)),
            Err(_) => Some(format!("it accepts no connection within {} ms", PROBE_LIMIT.as_millis())),
        };
        *last = Some((Instant::now(), problem.clone()));
        problem
    }
}
