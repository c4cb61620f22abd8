//! What the clocks of gateways showed, and the other times in the store that a clock is compared with.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

/// The row that an operator writes: the time that was accepted.
pub const ACCEPTED: i64 = 0;

record! {
    /// What a gateway's clock showed when it last wrote.
    pub struct ClockRow {
        pub gateway: i64,
        pub reading_at: i64,
        pub consistent: i64,
    }
}

record! { struct SealedRow { sealed_at: i64 } }
record! { struct GatewayRow { gateway: i64 } }

const LIST: &str = "/* clocks::list */ SELECT gateway, reading_at, consistent FROM gateway_clocks ORDER BY gateway";
const LAST_SEALED: &str = "/* clocks::last_sealed */ SELECT sealed_at FROM ledger_checkpoints \
    WHERE tree_size > COALESCE((SELECT sealed_size FROM gateway_clocks WHERE gateway = 0), 0) \
    ORDER BY tree_size DESC LIMIT 1";
const UPDATE: &str =
    "/* clocks::update */ UPDATE gateway_clocks SET reading_at = $2, consistent = $3 WHERE gateway = $1";
// Under a lock: two gateways that start together would otherwise take the same number.
const INSERT: &str = "/* clocks::insert */ INSERT INTO gateway_clocks (gateway, reading_at, consistent) \
    SELECT COALESCE(MAX(gateway), 0) + 1, CAST($1 AS BIGINT), CAST($2 AS BIGINT) FROM gateway_clocks RETURNING gateway";
const DELETE_OLDER: &str =
    "/* clocks::delete_older */ DELETE FROM gateway_clocks WHERE gateway <> 0 AND reading_at < $1";
const DELETE_ALL: &str = "/* clocks::delete_all */ DELETE FROM gateway_clocks";
const ACCEPT: &str = "/* clocks::accept */ INSERT INTO gateway_clocks (gateway, reading_at, consistent, sealed_size) \
    SELECT 0, CAST($1 AS BIGINT), 1, COALESCE(MAX(tree_size), 0) FROM ledger_checkpoints";

/// The readings of all gateways, and the accepted one.
pub async fn list(db: &Db) -> Result<Vec<ClockRow>, DbError> {
    db.read("clocks::list").fetch_all(LIST, args![]).await
}

/// When the newest checkpoint was sealed that an operator has not accepted a clock after.
pub async fn last_sealed(db: &Db) -> Result<Option<Timestamp>, DbError> {
    let row: Option<SealedRow> = db.read("clocks::last_sealed").fetch_optional(LAST_SEALED, args![]).await?;
    Ok(row.map(|row| Timestamp::from_micros(row.sealed_at)))
}

/// Writes a gateway's reading; one without a number, or whose row is gone, gets a new number. Returns the number.
pub async fn write(tx: &mut Tx, gateway: Option<i64>, now: Timestamp, consistent: bool) -> Result<i64, DbError> {
    if let Some(gateway) = gateway
        && tx.execute(UPDATE, args![gateway, now, consistent]).await? == 1
    {
        return Ok(gateway);
    }
    tx.lock_names(&["gateway clocks".to_owned()]).await?;
    tx.fetch_one::<GatewayRow>(INSERT, args![now, consistent]).await.map(|row| row.gateway)
}

/// Deletes readings of gateways from before an instant.
pub async fn delete_older(tx: &mut Tx, before: Timestamp) -> Result<u64, DbError> {
    tx.execute(DELETE_OLDER, args![before]).await
}

/// Makes an instant the last that the store has seen: no earlier reading and no earlier checkpoint is compared any more.
pub async fn accept(tx: &mut Tx, now: Timestamp) -> Result<(), DbError> {
    tx.lock_names(&["gateway clocks".to_owned()]).await?;
    tx.execute(DELETE_ALL, args![]).await?;
    tx.execute(ACCEPT, args![now]).await.map(|_| ())
}
