//! Appends entries within the transaction of the change they record.

use serde_json::json;

use super::{
    entry::{Entry, Opening},
    error::LedgerError,
    facts::ErasureFacts,
};
use crate::{
    domain::{Entropy, Malformed},
    store::{Tx, ledger::append as table},
};

/// Adds an entry to columns of entries.
pub(super) fn add_entry(columns: &mut table::EntryColumns, entry: &Entry) {
    columns.id.push(entry.id().to_owned());
    columns.kind.push(entry.kind().to_string());
    // Stored beside the body, so that a sealer notices when only one of the two was changed.
    columns.body.push(entry.body().to_owned());
    columns.leaf.push(entry.leaf().to_vec());
}

/// Adds an entry's opening to columns of openings.
pub(super) fn add_opening(columns: &mut table::OpeningColumns, id: &str, opening: &Opening) {
    columns.id.push(id.to_owned());
    columns.client.push(opening.client_id.clone());
    columns.consent.push(opening.consent_id.clone());
    columns.body.push(opening.body.clone());
}

/// Appends an entry within the caller's transaction: it is durable exactly when the caller's change is.
pub async fn append(tx: &mut Tx, entry: &Entry, opening: Option<&Opening>) -> Result<(), LedgerError> {
    let mut rows = table::EntryRows::default();
    add_entry(&mut rows.entries, entry);
    if let Some(opening) = opening {
        add_opening(&mut rows.openings, entry.id(), opening);
    }
    Ok(table::insert(tx, rows, entry.at()).await?)
}

/// Erases openings and appends the erasure entry that accounts for them, in the caller's transaction. Fails when one of the
/// openings does not exist.
///
/// On PostgreSQL only the role that owns the tables may do this: the serving role cannot remove an opening.
pub async fn erase(tx: &mut Tx, facts: ErasureFacts, entropy: &dyn Entropy) -> Result<(), LedgerError> {
    let rows: Vec<_> = facts.entries.iter().map(|id| json!({ "id": id })).collect();
    // Counted before `into_entry` removes duplicates: a repeated id then erases fewer openings than counted, and is
    // refused.
    let count = rows.len();
    // The same bound as in `entry/read.rs`: a longer entry could be written but never be parsed again.
    if !(1..=1000).contains(&count) {
        return Err(Malformed("an erasure names 1 to 1000 entries".into()).into());
    }
    let (entry, opening) = facts.into_entry(entropy)?;
    append(tx, &entry, Some(&opening)).await?;
    let erased = table::delete_openings(tx, serde_json::Value::from(rows).to_string()).await?;
    // An erasure entry for an opening that was not erased would be reported as tampering by every later verification.
    if u64::try_from(count) == Ok(erased) {
        Ok(())
    } else {
        Err(Malformed(format!("of {count} openings to be erased only {erased} exist")).into())
    }
}
