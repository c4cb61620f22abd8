//! The transparency log, as a bank checks it: inclusion proofs, and checkpoints that must continue the older ones.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use data_encoding::BASE64;
use http::StatusCode;

use super::{
    BankClient,
    archive::Archive,
    client::ConnectionError,
    keys::GatewayKeys,
    saved_answer::{Consistency, Refusal},
    verify::check_consistency,
};
use crate::{
    ledger::Proof,
    merkle::{Checkpoint, Hash, Note, TileId, TileNodes, consistency_spans},
};

/// Whether an error is of the connection or a refusal: it says nothing about the log, and must not be reported as a
/// forgery.
pub(super) fn is_transport_error(error: &anyhow::Error) -> bool {
    error.is::<ConnectionError>() || error.is::<Refusal>()
}

/// The waits between requests for the proof of an entry that is not sealed yet. Each request counts against the limits.
const WAITS_MS: [u64; 9] = [50, 100, 200, 400, 800, 1000, 1000, 1000, 1000];

/// Fetches the proof of a disclosure, and waits for the seal as long as receipts usually promise.
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

/// Verifies a checkpoint note under the log that its own first line names.
pub(super) fn open(note: &str, keys: &GatewayKeys) -> anyhow::Result<Checkpoint> {
    let parsed = Note::parse(note)?;
    // Unverified, but the signature that is verified next covers it.
    let origin = parsed.unverified_text().lines().next().unwrap_or_default();
    Ok(Checkpoint::open(note, &keys.log(origin))?)
}

/// Fetches and verifies the proof that `newer` continues an older checkpoint; an error when it does not.
pub(super) async fn check_continuation(
    client: &BankClient,
    keys: &GatewayKeys,
    older_note: &str,
    newer: &Checkpoint,
) -> anyhow::Result<(Consistency, String)> {
    let older = open(older_note, keys).context("the older checkpoint")?;
    ensure!(
        older.origin == newer.origin,
        "the older checkpoint is of log {}, and this one of {}: a gateway begins a new log only after it was restored from \
         a back-up; ask the bureau for its statement, and keep the older checkpoint",
        older.origin,
        newer.origin
    );
    if older.size > newer.size {
        bail!(
            "the log has {} leaves, and an older checkpoint has {}: its end was cut off. Keep both checkpoints: they are \
             the proof",
            newer.size,
            older.size
        );
    }
    let path = path_between(client, older.size, newer.size).await?;
    let path = path.iter().map(|hash| BASE64.encode(hash)).collect();
    let consistency = Consistency { checkpoint: older_note.to_owned(), path };
    match check_consistency(&consistency, newer, keys) {
        Ok((text, ())) => Ok((consistency, text)),
        Err(text) => bail!("{text}. Keep both checkpoints: they are the proof"),
    }
}

/// The consistency proof between two sizes of the log, computed from the published tiles.
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

/// A verified checkpoint and the note it was read from.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerifiedCheckpoint<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) note: &'a str,
}

/// Compares a checkpoint with the newest saved one, and saves it when it continues that one. Returns the proof, if one was
/// needed, and the result as a sentence.
pub(super) async fn update_checkpoint(
    client: &BankClient,
    archive: &Archive,
    keys: &GatewayKeys,
    verified: VerifiedCheckpoint<'_>,
) -> anyhow::Result<(Option<Consistency>, String)> {
    let VerifiedCheckpoint { checkpoint: newer, note } = verified;
    let Some(saved) = archive.checkpoint()? else {
        // Trust on first use: there is nothing older to compare with.
        archive.save_checkpoint(note)?;
        return Ok((None, format!("of {} leaves: the first one saved here", newer.size)));
    };
    // Another process may have saved a newer checkpoint since this proof was made.
    let older = open(&saved, keys).context("the saved checkpoint")?;
    if older.origin == newer.origin && older.size > newer.size {
        let latest = client.get(None, "/v1/ledger/checkpoint").await?.ok()?;
        let latest = String::from_utf8(latest.body).context("the checkpoint")?;
        let current = open(&latest, keys).context("the gateway's checkpoint")?;
        let (_, text) = check_continuation(client, keys, &saved, &current).await?;
        archive.save_checkpoint(&latest)?;
        return Ok((None, text));
    }
    let (consistency, text) = check_continuation(client, keys, &saved, newer).await?;
    archive.save_checkpoint(note)?;
    Ok((Some(consistency), text))
}
