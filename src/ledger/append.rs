//! Entries that belong to a change: appended in the change's own transaction, or not at all.

use serde_json::json;

use super::{
    LedgerError,
    entry::{Entry, Opening},
    facts::ErasureFacts,
};
use crate::{
    domain::{Entropy, canonical::canonical_string, time::Malformed},
    merkle::leaf_hash,
    store::{Tx, ledger::append as table},
};

/// The row of an entry, as the store takes it.
pub(super) fn entry_row(entry: &Entry) -> String {
    format!(
        "{{\"id\":{},\"type\":\"{}\",\"body\":{},\"leaf\":\"{}\"}}",
        canonical_string(&entry.id),
        entry.kind,
        canonical_string(&entry.body),
        data_encoding::HEXLOWER.encode(&entry.leaf)
    )
}

/// The row of an opening, as the store takes it.
pub(super) fn opening_row(id: &str, opening: &Opening) -> String {
    let text = |value: &Option<String>| value.as_deref().map_or_else(|| "null".into(), canonical_string);
    format!(
        "{{\"id\":{},\"client\":{},\"consent\":{},\"body\":{}}}",
        canonical_string(id),
        text(&opening.client_id),
        text(&opening.consent_id),
        canonical_string(&opening.body)
    )
}

/// Appends an entry within the caller's transaction: it is durable exactly when the caller's change is.
pub async fn append(tx: &mut Tx, entry: &Entry, opening: Option<&Opening>) -> Result<(), LedgerError> {
    // An entry that does not hash to its leaf would be found by `verify` for ever after.
    if leaf_hash(entry.body.as_bytes()) != entry.leaf {
        return Err(LedgerError::Tampered(format!("{} has another leaf than its text", entry.id)));
    }
    table::insert_entries(tx, format!("[{}]", entry_row(entry)), entry.at).await?;
    if let Some(opening) = opening {
        table::insert_openings(tx, format!("[{}]", opening_row(&entry.id, opening))).await?;
    }
    table::insert_unsealed(tx, json!([{ "id": entry.id }]).to_string()).await?;
    Ok(())
}

/// Erases openings and appends the entry that backs it, in the caller's transaction: refused when one is not there.
///
/// On PostgreSQL only the role that owns the tables may: the serving role cannot make an opening disappear.
pub async fn erase(tx: &mut Tx, facts: ErasureFacts, entropy: &dyn Entropy) -> Result<(), LedgerError> {
    let rows: Vec<_> = facts.entries.iter().map(|id| json!({ "id": id })).collect();
    let count = rows.len();
    if !(1..=1000).contains(&count) {
        return Err(Malformed("an erasure names 1 to 1000 entries".into()).into());
    }
    let (entry, opening) = facts.into_entry(entropy)?;
    append(tx, &entry, Some(&opening)).await?;
    let erased = table::delete_openings(tx, serde_json::Value::from(rows).to_string()).await?;
    // An erasure entry that names what it did not erase would be called tampering for ever after.
    if u64::try_from(count) == Ok(erased) {
        Ok(())
    } else {
        Err(Malformed(format!("of {count} openings to be erased {erased} are there")).into())
    }
}
