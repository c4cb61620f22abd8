//! Ledger entries of changes to keys and certificates.

use super::{AuthorityError, Custody};
use crate::{
    domain::{
        ids::EntryId,
        printable::{LONGEST_REASON, check_text},
    },
    ledger::{self, Action, Change},
    store::Tx,
};

/// Appends the entry of a change to a key, certificate or authority, in the transaction of the change. Returns its id.
pub(super) async fn audit(
    tx: &mut Tx,
    custody: &Custody,
    action: Action,
    target: &str,
    change: Change,
) -> Result<EntryId, AuthorityError> {
    let entered = ledger::audit(tx, &custody.env, &custody.actor, action, Some(target), change).await;
    entered.map_err(AuthorityError::Ledger)
}

/// Checks the reason that an operator gives: the ledger has it for ever.
pub(super) fn check_reason(reason: &str) -> Result<(), AuthorityError> {
    check_text(reason, LONGEST_REASON).map_err(|error| AuthorityError::Invalid(format!("the reason: {}", error.0)))
}
