//! An operator's act on keys and certificates is an entry of the ledger, in the transaction of the act itself.

use serde_json::Value;

use super::{AuthorityError, Custody};
use crate::{
    domain::ids::EntryId,
    ledger::{self, OperatorFacts},
    store::Tx,
};

/// What was done to what.
#[derive(Debug)]
pub(super) struct Act<'a> {
    /// A word.
    pub(super) action: &'static str,
    /// The id of the key, certificate or authority.
    pub(super) target: &'a str,
    /// Why, in the operator's words.
    pub(super) reason: Option<&'a str>,
    /// Whatever else belongs to it.
    pub(super) detail: Value,
}

/// Appends the entry.
pub(super) async fn record(tx: &mut Tx, custody: &Custody, act: Act<'_>) -> Result<(), AuthorityError> {
    let facts = OperatorFacts {
        id: EntryId::new(&*custody.clock, &*custody.entropy),
        at: custody.clock.now(),
        action: act.action,
        actor: format!("operator:{}", custody.operator),
        detail: act.detail,
        reason: act.reason.map(str::to_owned),
        target: Some(act.target.to_owned()),
    };
    let (entry, opening) = facts.into_entry(&*custody.entropy).map_err(AuthorityError::Ledger)?;
    ledger::append(tx, &entry, Some(&opening)).await.map_err(AuthorityError::Ledger)
}
