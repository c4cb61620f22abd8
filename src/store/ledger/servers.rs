//! The database servers that gateways have agreed on, and what each gateway found when it compared its history. PostgreSQL
//! only: SQLite has no server that another one could take the place of.

use crate::{
    domain::Timestamp,
    store::{Db, DbError, Engine, Tx, args, record},
};

record! {
    /// Where the database is.
    #[derive(PartialEq, Eq, Default)]
    pub struct ServerRow {
        /// The server that answers; none on SQLite and on a standby.
        pub server: Option<String>,
        /// The one that the gateways agreed on last.
        pub agreed: Option<String>,
    }
}

record! {
    /// What a gateway found on a server.
    #[derive(PartialEq, Eq)]
    pub struct AttestationRow {
        pub gateway: String,
        pub server: String,
        /// What the database lacks and the gateway knows; none if nothing.
        pub finding: Option<String>,
        /// When it last compared, by the clock of the server.
        pub attested_at: i64,
    }
}

record! {
    struct AgreedRow {
        agreed: i64,
    }
}

const CURRENT: &str = "/* servers::current */ SELECT core.database_server() AS server, \
    (SELECT s.server FROM ledger_servers s ORDER BY s.number DESC LIMIT 1) AS agreed";

/// Where the database is.
pub async fn current(db: &Db) -> Result<ServerRow, DbError> {
    match db.engine() {
        Engine::Sqlite => Ok(ServerRow::default()),
        Engine::Postgres => db.read("servers::current").fetch_one(CURRENT, args![]).await,
    }
}

const IS_AGREED: &str = "/* servers::is_agreed */ SELECT CAST(core.is_agreed_server() AS INTEGER)::bigint AS agreed";

/// Whether a transaction is on the server that the gateways agreed on.
pub async fn is_agreed_in(tx: &mut Tx) -> Result<bool, DbError> {
    match tx.engine() {
        Engine::Sqlite => Ok(true),
        Engine::Postgres => tx.fetch_one::<AgreedRow>(IS_AGREED, args![]).await.map(|row| row.agreed == 1),
    }
}

// By the server's clock: the times of several gateways are compared with each other.
const ATTEST: &str = "/* servers::attest */ \
    INSERT INTO ledger_attestations (gateway, server, epoch, finding, attested_at) \
    SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), \
    CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT) WHERE core.database_server() = $2 \
    ON CONFLICT (gateway, server) DO UPDATE SET \
    epoch = excluded.epoch, finding = excluded.finding, attested_at = excluded.attested_at";

/// Writes what a gateway found on a server. `false` when the database is on another one by now: nothing is written then.
pub async fn attest(
    tx: &mut Tx,
    gateway: &str,
    server: &str,
    epoch: i64,
    finding: Option<&str>,
) -> Result<bool, DbError> {
    Ok(tx.execute(ATTEST, args![gateway, server, epoch, finding]).await? == 1)
}

const LIST: &str = "/* servers::attestations */ \
    SELECT gateway, server, finding, attested_at FROM ledger_attestations WHERE epoch = $1 ORDER BY gateway, server";

/// What all gateways found in an epoch.
pub async fn attestations(db: &Db, epoch: i64) -> Result<Vec<AttestationRow>, DbError> {
    db.read("servers::attestations").fetch_all(LIST, args![epoch]).await
}

// The condition is one of the aggregate: without it there would be a row on any server.
const AGREE: &str = "/* servers::agree */ \
    INSERT INTO ledger_servers (number, server, epoch, agreed_at) \
    SELECT COALESCE(MAX(number), 0) + 1, CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS BIGINT) FROM ledger_servers \
    HAVING core.database_server() = $1";
const DELETE_OTHERS: &str =
    "/* servers::delete_others */ DELETE FROM ledger_attestations WHERE server <> $1 OR epoch <> $2";

/// Puts a server in force, and deletes what was found on others. `false` when the database is on another one by now.
pub async fn agree(tx: &mut Tx, server: &str, epoch: i64, at: Timestamp) -> Result<bool, DbError> {
    if tx.execute(AGREE, args![server, epoch, at]).await? == 0 {
        return Ok(false);
    }
    tx.execute(DELETE_OTHERS, args![server, epoch]).await?;
    Ok(true)
}

const BEGIN: &str = "/* servers::begin_epoch */ \
    INSERT INTO ledger_servers (number, server, epoch, agreed_at) \
    SELECT COALESCE(MAX(number), 0) + 1, core.database_server(), CAST($1 AS BIGINT), CAST($2 AS BIGINT) \
    FROM ledger_servers";
const DELETE_ALL: &str = "/* servers::delete_attestations */ DELETE FROM ledger_attestations";

/// Puts the server of the transaction in force for an epoch that a recovery begins: what was found before counts no more.
pub async fn begin_epoch(tx: &mut Tx, epoch: i64, at: Timestamp) -> Result<(), DbError> {
    if tx.engine() == Engine::Postgres {
        tx.execute(BEGIN, args![epoch, at]).await?;
        tx.execute(DELETE_ALL, args![]).await?;
    }
    Ok(())
}

// What it found stays, if it found something: it still knows that when it has ended.
const WITHDRAW: &str = "/* servers::withdraw */ \
    DELETE FROM ledger_attestations WHERE gateway = $1 AND finding IS NULL AND core.database_server() = $2";

/// Removes a gateway that has ended, and knows nothing that the server lacks.
pub async fn withdraw(tx: &mut Tx, gateway: &str, server: &str) -> Result<(), DbError> {
    tx.execute(WITHDRAW, args![gateway, server]).await.map(|_| ())
}
