//! The epoch of the log: agreed on in the database; a host's setting only names the first one.

use crate::{
    domain::Timestamp,
    ledger::error::LedgerError,
    store::{
        Db, DbError, Env, Tx,
        ledger::{epochs, servers},
    },
};

fn number(epoch: i64) -> Result<u32, LedgerError> {
    let wrong = || DbError::corrupt("ledger.epoch", format!("the epoch {epoch} is out of range"));
    u32::try_from(epoch).map_err(|_| wrong().into())
}

/// The epoch of the log in a database, or `first` where no gateway has opened it yet.
pub async fn current_epoch(db: &Db, first: u32) -> Result<u32, LedgerError> {
    epochs::current(db).await?.map_or(Ok(first), number)
}

/// The same; where there is none yet, `first` becomes the epoch of the log.
pub async fn establish_epoch(env: &Env, first: u32) -> Result<u32, LedgerError> {
    // Read first: the serving role of PostgreSQL can do no more.
    if let Some(epoch) = epochs::current(&env.db).await? {
        return number(epoch);
    }
    let mut tx = env.db.begin("ledger.establish_epoch").await?;
    let inserted = match epochs::insert(&mut tx, first.into(), env.now()).await {
        Ok(()) => tx.commit().await,
        Err(error) => Err(error),
    };
    match inserted {
        // Another gateway was first.
        Err(error) if error.is_constraint() => {}
        other => other?,
    }
    current_epoch(&env.db, first).await
}

/// Raises the epoch above the one in the database and `outside`, in the transaction of a recovery. Returns the new one, which
/// begins on the server that the database is on: what gateways attested before counts no more.
pub async fn raise_epoch(tx: &mut Tx, outside: u32, at: Timestamp) -> Result<u32, LedgerError> {
    let store = epochs::current_in(tx).await?.map_or(Ok(0), number)?;
    let epoch = store.max(outside).saturating_add(1);
    epochs::insert(tx, epoch.into(), at).await?;
    servers::begin_epoch(tx, epoch.into(), at).await?;
    Ok(epoch)
}
