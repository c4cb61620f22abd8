//! The log as a bank watches it: proofs once they are sealed, and checkpoints that must continue the older ones.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use data_encoding::BASE64;
use http::StatusCode;

use super::{
    BankClient,
    archive::Archive,
    client::Unreached,
    saved_answer::{Continued, Refused},
    verify::{check_continued, log_keys},
};
use crate::{
    identity::PublicKey,
    ledger::Proof,
    merkle::{Checkpoint, Hash, Note, TileId, TileNodes, consistency_spans},
};

/// Whether an error is of the way and not of the log: what it says nothing about must not be called a forgery.
pub(super) fn is_of_the_way(error: &anyhow::Error) -> bool {
    error.is::<Unreached>() || error.is::<Refused>()
}

/// How long an entry is waited for that is not sealed yet, between one question and the next: each counts on the limits.
const WAITS_MS: [u64; 9] = [50, 100, 200, 400, 800, 1000, 1000, 1000, 1000];

/// The proof of a disclosure, waiting for the seal as long as receipts usually promise.
pub(in crate::cli) async fn fetch_proof(client: &BankClient, id: &str) -> anyhow::Result<Proof> {
    let path = format!("/v1/disclosures/{id}/proof");
    let token = client.token("disclosures:read").await?;
    let mut answer = client.get(Some(&token), &path).await?;
    for wait in WAITS_MS {
        if answer.status != StatusCode::CONFLICT {
            break;
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
        answer = client.get(Some(&token), &path).await?;
    }
    serde_json::from_slice(&answer.ok()?.body).context("the proof")
}

/// Opens a note whose log is not known beforehand: its own first line says which.
pub(super) fn open(note: &str, keys: &[PublicKey]) -> anyhow::Result<Checkpoint> {
    let parsed = Note::parse(note)?;
    let origin = parsed.unverified_text().lines().next().unwrap_or_default();
    Ok(Checkpoint::open(note, &log_keys(keys, origin))?)
}

/// Fetches what proves that `newer` continues an older checkpoint, and verifies it. An error when it does not.
pub(super) async fn continues(
    client: &BankClient,
    keys: &[PublicKey],
    older_note: &str,
    newer: &Checkpoint,
) -> anyhow::Result<(Continued, String)> {
    let older = open(older_note, keys).context("the older checkpoint")?;
    ensure!(
        older.origin == newer.origin,
        "the older checkpoint is of log {}, and this one of {}: a new log is begun only when the gateway was restored \
         from a back-up; ask the bureau for its statement, and keep the older checkpoint",
        older.origin,
        newer.origin
    );
    if older.size > newer.size {
        bail!(
            "the log has {} leaves, and an older checkpoint has {}: its end was cut off. Keep both checkpoints, they are \
             the proof",
            newer.size,
            older.size
        );
    }
    let path = path_between(client, older.size, newer.size).await?;
    let path = path.iter().map(|hash| BASE64.encode(hash)).collect();
    let continued = Continued { checkpoint: older_note.to_owned(), path };
    match check_continued(&continued, newer, keys) {
        Ok((text, ())) => Ok((continued, text)),
        Err(text) => bail!("{text}. Keep both checkpoints, they are the proof"),
    }
}

/// The consistency proof between two sizes, made of the published tiles.
async fn path_between(client: &BankClient, old: u64, new: u64) -> anyhow::Result<Vec<Hash>> {
    if old == new {
        return Ok(Vec::new());
    }
    let spans = consistency_spans(old, new)?;
    let mut nodes = TileNodes::default();
    for id in TileNodes::needed(&spans) {
        nodes.insert(id, tile(client, id, id.width(new)).await?);
    }
    nodes.hashes(&spans).context("the published tiles do not reach as far as the checkpoint")
}

async fn tile(client: &BankClient, id: TileId, width: u16) -> anyhow::Result<Vec<Hash>> {
    let path = format!("/v1/ledger/{}", id.path(width));
    let answer = client.get(None, &path).await?.ok()?;
    let (hashes, rest) = answer.body.as_chunks::<32>();
    ensure!(rest.is_empty() && hashes.len() == usize::from(width), "{path} has the wrong length");
    Ok(hashes.to_vec())
}

/// Compares a verified checkpoint with the newest one kept, and keeps it when it continues that one. Says what was found.
pub(super) async fn watch(
    client: &BankClient,
    archive: &Archive,
    keys: &[PublicKey],
    (newer, note): (&Checkpoint, &str),
) -> anyhow::Result<(Option<Continued>, String)> {
    let Some(kept) = archive.checkpoint()? else {
        archive.keep_checkpoint(note)?;
        return Ok((None, format!("of {} leaves: the first one kept here", newer.size)));
    };
    // A proof of another process may be older than what this one has seen since.
    let older = open(&kept, keys).context("the kept checkpoint")?;
    if older.origin == newer.origin && older.size > newer.size {
        let latest = client.get(None, "/v1/ledger/checkpoint").await?.ok()?;
        let latest = String::from_utf8(latest.body).context("the checkpoint")?;
        let present = open(&latest, keys).context("the gateway's checkpoint")?;
        let (_, text) = continues(client, keys, &kept, &present).await?;
        archive.keep_checkpoint(&latest)?;
        return Ok((None, text));
    }
    let (continued, text) = continues(client, keys, &kept, newer).await?;
    archive.keep_checkpoint(note)?;
    Ok((Some(continued), text))
}
