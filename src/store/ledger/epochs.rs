//! The epochs of the log: all gateways agree on the newest one in the database.

use crate::{
    domain::Timestamp,
    store::{Db, DbError, Tx, args, record},
};

record! {
    struct EpochRow {
        epoch: Option<i64>,
    }
}

const CURRENT: &str = "/* ledger::epoch */ SELECT max(epoch) AS epoch FROM ledger_epochs";

/// The epoch; none before a gateway has opened the log or an operator has migrated it.
pub async fn current(db: &Db) -> Result<Option<i64>, DbError> {
    db.read("ledger.epoch").fetch_one::<EpochRow>(CURRENT, args![]).await.map(|row| row.epoch)
}

/// [`current`], within a transaction.
pub async fn current_in(tx: &mut Tx) -> Result<Option<i64>, DbError> {
    tx.fetch_one::<EpochRow>(CURRENT, args![]).await.map(|row| row.epoch)
}

const INSERT: &str = "/* ledger::insert_epoch */ INSERT INTO ledger_epochs (epoch, began_at) VALUES ($1, $2)";

/// Adds an epoch. The serving role of PostgreSQL has no right to do so.
pub async fn insert(tx: &mut Tx, epoch: i64, at: Timestamp) -> Result<(), DbError> {
    tx.execute(INSERT, args![epoch, at]).await.map(|_| ())
}
