//! What a bank verifies of an answer it keeps: digest, signature, receipt, and the proof once there is one.

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::Kept;
use crate::{
    domain::Timestamp,
    identity::{
        Jwk, PublicKey, Suite,
        signature::{Covered, RequestFacts, SignatureFields, content_digest, verify},
    },
    ledger::{Proof, Receipt, check_proof},
    merkle::VerifierKey,
};

/// What was found of an answer.
#[derive(Debug)]
pub(in crate::cli) struct Verified {
    /// When it was signed.
    pub(in crate::cli) signed_at: Timestamp,
    /// By which key.
    pub(in crate::cli) key_id: String,
    /// Its receipt.
    pub(in crate::cli) receipt: Receipt,
}

/// The public keys of a JSON Web Key Set.
fn keys(jwks: &Value) -> anyhow::Result<Vec<PublicKey>> {
    let keys = jwks.get("keys").and_then(Value::as_array).context("the key set has no keys")?;
    let read = |key: &Value| serde_json::from_value::<Jwk>(key.clone()).ok()?.public_key().ok();
    Ok(keys.iter().filter_map(read).collect())
}

/// Verifies an answer: the body has the digest, and status, digest, receipt and request are what was signed by a key of
/// the set.
pub(in crate::cli) fn verify_answer(kept: &Kept, jwks: &Value) -> anyhow::Result<Verified> {
    let digest = kept.header("content-digest")?;
    ensure!(digest == content_digest(&kept.body), "the body is not what its Content-Digest says");
    let fields = SignatureFields {
        input: kept.header("signature-input")?.to_owned(),
        signature: kept.header("signature")?.to_owned(),
    };
    let covered = Covered {
        status: kept.status.as_u16(),
        content_digest: digest,
        interaction_id: kept.header("x-fapi-interaction-id")?,
        disclosure: kept.header("medcredit-disclosure")?,
        request: RequestFacts { method: &kept.method, target_uri: &kept.target_uri, digest: None, signature: None },
    };
    let keys = keys(jwks)?;
    let named = |key: &&PublicKey| fields.input.contains(&format!("keyid=\"{}\"", key.key_id()));
    let Some(key) = keys.iter().find(named) else { bail!("no key of the set is the one that signed") };
    let signed_at = verify(&covered, &fields, key.key_id(), key.suite(), key.der())?;
    let receipt = Receipt::parse(covered.disclosure)?;
    Ok(Verified { signed_at, key_id: key.key_id().to_owned(), receipt })
}

/// Verifies that the answer's entry is in the log: the proof is whole, is of the receipt's leaf, and speaks of this body.
pub(in crate::cli) fn verify_proof(kept: &Kept, receipt: &Receipt, proof: &Proof, jwks: &Value) -> anyhow::Result<()> {
    let verifiers: Vec<VerifierKey> = keys(jwks)?
        .iter()
        .filter(|key| key.suite() == Suite::Ed25519)
        .filter_map(|key| VerifierKey::new(&receipt.log, key.raw().try_into().ok()?).ok())
        .collect();
    let (entry, values) = check_proof(proof, &verifiers)?;
    ensure!(proof.log == receipt.log && entry.id == receipt.id, "the proof is of another disclosure");
    ensure!(proof.leaf == receipt.leaf_base64(), "the proof's leaf is not the receipt's");
    let values = values.context("the opening has been erased: the proof no longer says what was disclosed")?;
    let digest = values.get("content_digest").and_then(Value::as_str).unwrap_or_default();
    ensure!(digest == kept.header("content-digest")?, "the entry speaks of another body");
    Ok(())
}
