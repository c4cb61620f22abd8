//! An act on keys and certificates is an entry of the ledger, in the transaction of the act itself.

use super::{AuthorityError, Custody};
use crate::{
    ledger::{self, Action, Change},
    store::Tx,
};

/// Writes the entry of what was done to a key, certificate or authority.
pub(super) async fn record(
    tx: &mut Tx,
    custody: &Custody,
    action: Action,
    target: &str,
    change: Change,
) -> Result<(), AuthorityError> {
    let entered = ledger::audit(tx, &custody.env, &custody.actor, action, Some(target), change).await;
    entered.map(drop).map_err(AuthorityError::Ledger)
}
