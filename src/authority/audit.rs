//! Ledger entries of changes to keys and certificates.

use super::{AuthorityError, Custody};
use crate::{
    ledger::{self, Action, Change},
    store::Tx,
};

/// Appends the entry of a change to a key, certificate or authority, in the transaction of the change.
pub(super) async fn audit(
    tx: &mut Tx,
    custody: &Custody,
    action: Action,
    target: &str,
    change: Change,
) -> Result<(), AuthorityError> {
    let entered = ledger::audit(tx, &custody.env, &custody.actor, action, Some(target), change).await;
    entered.map(drop).map_err(AuthorityError::Ledger)
}
