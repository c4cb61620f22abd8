//! Proofs of inclusion: made from the tables, and verified without them.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    entry::{EntryFault, EntryType, ReadEntry},
    error::LedgerError,
    tiles,
};
use crate::{
    domain::canonical::canonical,
    merkle::{
        Checkpoint, Hash, NoteError, ProofError, VerifierKey, consistency_spans, inclusion_spans, leaf_hash,
        verify_inclusion,
    },
    store::{Db, ledger::seal as table},
};

/// Proof that an entry is in the log (docs/LEDGER.md section 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Proof {
    /// Id of the entry.
    pub id: String,
    /// Origin of the log.
    pub log: String,
    /// Canonical JSON of the entry, as one string: its bytes are hashed.
    pub entry: String,
    /// Values and salts behind the entry's commitments; null once erased.
    pub opening: Option<Value>,
    /// Leaf hash, base64.
    pub leaf: String,
    /// Index of the leaf in the tree, from 0.
    pub leaf_index: u64,
    /// Number of leaves that the checkpoint covers.
    pub tree_size: u64,
    /// RFC 6962 audit path, from the leaf's sibling upwards, base64.
    pub inclusion: Vec<String>,
    /// Signed checkpoint, a C2SP note.
    pub checkpoint: String,
}

/// Whether an entry can be proved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofStatus {
    /// The entry is durable and no checkpoint covers it yet.
    Pending,
    /// A checkpoint covers the entry.
    Sealed(Box<Proof>),
}

/// Finds an entry and proves it. With a client, only that client's disclosures are found: other entries that concern it,
/// such as who ended a consent and why, are not for it to see.
pub async fn prove(db: &Db, id: &str, client: Option<&str>) -> Result<Option<ProofStatus>, LedgerError> {
    let Some(row) = table::entry(db, id).await? else { return Ok(None) };
    let released = [EntryType::Disclosure, EntryType::Delivery].iter().any(|kind| row.kind == kind.as_str());
    // Another bank's entry gets the same answer as one that does not exist, after the same single query.
    let own = released && row.client_id.as_deref() == client;
    if client.is_some() && !own {
        return Ok(None);
    }
    let Some(index) = row.leaf_index else { return Ok(Some(ProofStatus::Pending)) };
    let wrong = |what: &str| LedgerError::Tampered(format!("{what} of {id}"));
    // Read after the leaf: leaf and checkpoint were committed together, so the newest checkpoint covers it.
    let latest = table::latest_checkpoint(db).await?.ok_or_else(|| wrong("the checkpoint"))?;
    let (Ok(index), Ok(size)) = (u64::try_from(index), u64::try_from(latest.tree_size)) else {
        return Err(wrong("the leaf index"));
    };
    let spans = inclusion_spans(index, size).map_err(|_| wrong("the checkpoint"))?;
    let path = tiles::nodes(db, size, &spans).await?.hashes(&spans).ok_or_else(|| wrong("the tiles"))?;
    let leaf = leaf_hash(row.body.as_bytes());
    // A bank must never receive a proof that does not verify.
    let root = tiles::hash(&latest.root, "a root")?;
    verify_inclusion(&leaf, index, size, &path, &root).map_err(|_| wrong("the entry, the tiles or the checkpoint"))?;
    let opening = row.opening.map(|text| serde_json::from_str(&text)).transpose();
    Ok(Some(ProofStatus::Sealed(Box::new(Proof {
        id: id.to_owned(),
        // The first line of a checkpoint is the log's origin.
        log: latest.note.lines().next().unwrap_or_default().to_owned(),
        entry: row.body,
        opening: opening.map_err(|_| wrong("the opening"))?,
        leaf: BASE64.encode(&leaf),
        leaf_index: index,
        tree_size: size,
        inclusion: path.iter().map(|hash| BASE64.encode(hash)).collect(),
        checkpoint: latest.note,
    }))))
}

/// The newest checkpoint's note.
pub async fn checkpoint(db: &Db) -> Result<Option<String>, LedgerError> {
    Ok(table::latest_checkpoint(db).await?.map(|row| row.note))
}

/// The consistency proof between two sizes of the tree. An error when the tables hold a smaller tree.
pub async fn consistency(db: &Db, older: u64, newer: u64) -> Result<Vec<Hash>, LedgerError> {
    let wrong = || LedgerError::Tampered(format!("the tiles between the trees of {older} and {newer} leaves"));
    let spans = consistency_spans(older, newer).map_err(|_| wrong())?;
    tiles::nodes(db, newer, &spans).await?.hashes(&spans).ok_or_else(wrong)
}

/// Why a proof does not verify.
#[derive(Debug, thiserror::Error)]
pub enum ProofFault {
    /// The entry or its opening is malformed, or they do not match.
    #[error("the entry: {0}")]
    Entry(#[from] EntryFault),
    /// One member contradicts another.
    #[error("{0} contradicts the entry or the checkpoint")]
    Member(&'static str),
    /// The checkpoint is not signed by a known key of the log.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
    /// The path does not lead from the leaf to the checkpoint.
    #[error("the path: {0}")]
    Path(#[from] ProofError),
}

/// Verifies a proof with only the log's keys. Returns the entry and, unless they are erased, its opened values.
pub fn check_proof(
    proof: &Proof,
    keys: &[VerifierKey],
) -> Result<(ReadEntry, Option<BTreeMap<String, Value>>), ProofFault> {
    let entry = ReadEntry::parse(&proof.entry)?;
    if entry.id != proof.id {
        return Err(ProofFault::Member("id"));
    }
    let values = match &proof.opening {
        None => None,
        // It came as JSON, whose spacing and order of members may differ from what was committed to.
        Some(opening) => Some(entry.open(&canonical(opening).map_err(|_| EntryFault::NotCanonical)?)?),
    };
    let leaf = leaf_hash(proof.entry.as_bytes());
    if BASE64.encode(&leaf) != proof.leaf {
        return Err(ProofFault::Member("leaf"));
    }
    // Only keys of this log: a key of another log that the verifier also trusts must not confirm this one's checkpoint.
    let own: Vec<_> = keys.iter().filter(|key| key.name() == proof.log).cloned().collect();
    let checkpoint = Checkpoint::open(&proof.checkpoint, &own)?;
    if checkpoint.size != proof.tree_size {
        return Err(ProofFault::Member("tree_size"));
    }
    let hash = |text: &String| BASE64.decode(text.as_bytes()).ok().and_then(|bytes| Hash::try_from(bytes).ok());
    let path: Option<Vec<_>> = proof.inclusion.iter().map(hash).collect();
    let path = path.ok_or(ProofFault::Member("inclusion"))?;
    verify_inclusion(&leaf, proof.leaf_index, proof.tree_size, &path, &checkpoint.root)?;
    Ok((entry, values))
}
