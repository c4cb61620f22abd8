//! What a bank verifies of an answer it keeps: digest, signature, receipt, the ledger's entry, and its place in the log.
//!
//! Each check says in words what it found, and none needs the gateway.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use data_encoding::BASE64;
use serde_json::Value;

use super::{
    Kept,
    findings::Findings,
    saved_answer::{Continued, Saved},
};
use crate::{
    authority::files,
    domain::{Month, Timestamp, ids::DisclosureId},
    identity::{
        Jwk, PublicKey, Suite,
        signature::{Covered, FieldPair, RequestFacts, SignatureFields, SignatureRefusal, content_digest, verify},
    },
    ledger::{Proof, Receipt, check_proof},
    merkle::{Checkpoint, Hash, VerifierKey, verify_consistency},
};

/// What was found of an answer.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Verified {
    /// When it was signed.
    pub(in crate::cli) signed_at: Timestamp,
    /// By which key.
    pub(in crate::cli) key: PublicKey,
    /// Its receipt.
    pub(in crate::cli) receipt: Receipt,
}

/// The public keys of a JSON Web Key Set.
pub(in crate::cli) fn keys(jwks: &Value) -> anyhow::Result<Vec<PublicKey>> {
    let keys = jwks.get("keys").and_then(Value::as_array).context("the key set has no keys")?;
    let read = |key: &Value| serde_json::from_value::<Jwk>(key.clone()).ok()?.public_key().ok();
    Ok(keys.iter().filter_map(read).collect())
}

/// The public keys of a file with a JSON Web Key Set.
pub(in crate::cli) fn read_keys(path: &Path) -> anyhow::Result<Vec<PublicKey>> {
    let name = || path.display().to_string();
    let set: Value = serde_json::from_slice(&files::read(path)?).with_context(name)?;
    let keys = keys(&set).with_context(name)?;
    ensure!(!keys.is_empty(), "{}: none of its keys is a public signature key (ES256 or Ed25519)", path.display());
    Ok(keys)
}

/// The keys of a log: every Ed25519 key, under the log's name.
pub(in crate::cli) fn log_keys(keys: &[PublicKey], origin: &str) -> Vec<VerifierKey> {
    keys.iter()
        .filter(|key| key.suite() == Suite::Ed25519)
        .filter_map(|key| VerifierKey::new(origin, key.raw().try_into().ok()?).ok())
        .collect()
}

/// A key's name, short enough to read aloud.
pub(in crate::cli) fn short(key_id: &str) -> &str {
    key_id.get(..12).unwrap_or(key_id)
}

/// Verifies an answer just received with the published keys; the error names the check that failed.
pub(in crate::cli) fn verify_answer(kept: &Kept, keys: &[PublicKey]) -> anyhow::Result<Verified> {
    let mut findings = Findings::default();
    let verified = check_answer(kept, keys, &mut findings);
    match (findings.first_problem(), verified) {
        (None, Some(verified)) => Ok(verified),
        (problem, _) => bail!("the answer does not verify and is not shown: {}", problem.unwrap_or_default()),
    }
}

/// The checks that need only the answer and keys.
pub(super) fn check_answer(kept: &Kept, keys: &[PublicKey], findings: &mut Findings) -> Option<Verified> {
    findings.judge("body", check_body(kept));
    let key = findings.judge("key", find_key(kept, keys));
    let signed_at = key.as_ref().and_then(|key| findings.judge("signature", check_signature(kept, key)));
    let receipt = findings.judge("receipt", check_receipt(kept));
    Some(Verified { signed_at: signed_at?, key: key?, receipt: receipt? })
}

fn header<'a>(kept: &'a Kept, name: &str) -> Result<&'a str, String> {
    kept.headers.get(name).map(String::as_str).ok_or_else(|| format!("the answer has no {name}"))
}

fn check_body(kept: &Kept) -> Result<(String, ()), String> {
    if header(kept, "content-digest")? != content_digest(&kept.body) {
        return Err("its SHA-256 is not the one Content-Digest tells: the body was changed".into());
    }
    Ok((format!("{} bytes, with the SHA-256 that Content-Digest tells", kept.body.len()), ()))
}

fn find_key(kept: &Kept, keys: &[PublicKey]) -> Result<(String, PublicKey), String> {
    let input = header(kept, "signature-input")?;
    let named = |key: &&PublicKey| input.contains(&format!("keyid=\"{}\"", key.key_id()));
    let key = keys.iter().find(named).ok_or("no key at hand is the one the signature names")?;
    Ok((format!("{} key {} is the one the signature names", key.suite(), short(key.key_id())), key.clone()))
}

fn check_signature(kept: &Kept, key: &PublicKey) -> Result<(String, Timestamp), String> {
    let fields = SignatureFields {
        input: header(kept, "signature-input")?.to_owned(),
        signature: header(kept, "signature")?.to_owned(),
    };
    // What of the request is covered, the signature's own parameters say: a gateway that does not verify requests of this
    // bank does not vouch for their signatures either.
    let asked = |name: &str| {
        let covered = fields.input.contains(&format!("\"{name}\";req"));
        kept.asked.get(name).map(String::as_str).filter(|_| covered)
    };
    let covered = Covered {
        status: kept.status.as_u16(),
        content_digest: header(kept, "content-digest")?,
        interaction_id: header(kept, "x-fapi-interaction-id")?,
        disclosure: header(kept, "medcredit-disclosure")?,
        request: RequestFacts {
            method: &kept.method,
            target_uri: &kept.target_uri,
            digest: asked("content-digest"),
            signature: asked("signature-input")
                .zip(asked("signature"))
                .map(|(input, signature)| FieldPair { input, signature }),
        },
    };
    match verify(&covered, &fields, key.key_id(), key.suite(), key.der()) {
        Ok(at) => Ok((format!("status, digest, receipt, method and target were signed at {at}"), at)),
        Err(SignatureRefusal::Mismatch) => Err(
            "it does not fit: status, digest, interaction id, receipt, method or target is not what was signed (the \
             target is under the gateway's public origin)"
                .into(),
        ),
        Err(other) => Err(other.to_string()),
    }
}

fn check_receipt(kept: &Kept) -> Result<(String, Receipt), String> {
    let receipt = Receipt::parse(header(kept, "medcredit-disclosure")?).map_err(|error| error.to_string())?;
    if receipt.id.parse::<DisclosureId>().is_err() {
        return Err("it names no disclosure".into());
    }
    let told =
        kept.told().and_then(|body| body.get("disclosure").or(body.get("delivery"))?.as_str().map(str::to_owned));
    if told.is_some_and(|told| told != receipt.id) {
        return Err(format!("it is of {}, and the body is of another disclosure", receipt.id));
    }
    Ok((format!("{} in log {}, to be sealed by {}", receipt.id, receipt.log, receipt.by), receipt))
}

/// The checks of a proof: the entry is the receipt's, its opening says what the answer says, and it is in the log.
pub(super) fn check_entry(
    (kept, receipt): (&Kept, &Receipt),
    proof: &Proof,
    (keys, client): (&[PublicKey], Option<&str>),
    findings: &mut Findings,
) -> Option<Checkpoint> {
    if proof.id != receipt.id || proof.log != receipt.log {
        findings
            .wrong("record", format!("the proof is of {} in {}, not of the receipt's disclosure", proof.id, proof.log));
        return None;
    }
    let leaf = crate::merkle::leaf_hash(proof.entry.as_bytes());
    if leaf != receipt.leaf {
        findings.wrong("record", "the entry's hash is not the leaf the receipt promised: it is another entry");
        return None;
    }
    findings.good("record", "the ledger's entry has the leaf hash that the signed receipt promised");
    let verifiers = log_keys(keys, &receipt.log);
    match check_proof(proof, &verifiers) {
        Ok((entry, opened)) => {
            match opened {
                None => findings.skipped("opening", "erased at the gateway: the entry no longer says to whom it was"),
                Some(values) => {
                    findings.good("opening", format!("all {} commitments of the entry open", values.len()));
                    findings.judge("contents", check_contents(kept, entry.at, &values, client));
                }
            }
            findings.good(
                "inclusion",
                format!("leaf {} of {} under the log's signed checkpoint", proof.leaf_index, proof.tree_size),
            );
        }
        Err(error) => {
            findings.wrong("inclusion", error.to_string());
            return None;
        }
    }
    Checkpoint::open(&proof.checkpoint, &verifiers).ok()
}

/// Compares what the entry records with what the bank saw.
fn check_contents(
    kept: &Kept,
    at: Timestamp,
    values: &std::collections::BTreeMap<String, Value>,
    client: Option<&str>,
) -> Result<(String, ()), String> {
    let body = kept.told().ok_or("the body is not JSON")?;
    let mut seen: Vec<(&str, Value)> = vec![
        ("content_digest", header(kept, "content-digest")?.into()),
        ("interaction", header(kept, "x-fapi-interaction-id")?.into()),
    ];
    seen.extend(client.map(|client| ("client", client.into())));
    for name in ["consent", "purpose", "uscc", "lines", "refused"] {
        seen.extend(body.get(name).map(|value| (name, value.clone())));
    }
    if let Some(codes) = body.get("codes").and_then(Value::as_array) {
        let mut codes: Vec<&str> = codes.iter().filter_map(|code| code.get("code")?.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        seen.push(("codes", codes.into()));
    }
    // Former grades have half-years there, which the entry does not record.
    let month =
        |name: &str| body.get(name).filter(|text| text.as_str().is_some_and(|text| text.parse::<Month>().is_ok()));
    if let (Some(from), Some(to)) = (month("from").or(month("month")), month("to").or(month("month"))) {
        seen.push(("period", serde_json::json!({ "from": from, "to": to })));
    }
    for (name, value) in &seen {
        if values.get(*name) != Some(value) {
            return Err(format!("the entry records another {name} than the bank saw"));
        }
    }
    let told = body
        .get("disclosed_at")
        .or(body.get("delivered_at"))
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<Timestamp>().ok());
    if told.is_some_and(|told| told != at) {
        return Err("the entry records another time than the answer tells".into());
    }
    let names: Vec<&str> = seen.iter().map(|(name, _)| *name).collect();
    Ok((format!("the entry records what the bank saw: {}, and the time", names.join(", ")), ()))
}

/// Every check of a saved answer. With other keys than its own, also whose key it is.
pub(super) fn check_saved(saved: &Saved, trusted: Option<&[PublicKey]>, findings: &mut Findings) -> anyhow::Result<()> {
    let kept = saved.kept()?;
    let own: Vec<PublicKey> = saved.key.public_key().into_iter().collect();
    let Some(verified) = check_answer(&kept, &own, findings) else {
        findings.skipped("record", "not looked at: the answer itself does not verify");
        return Ok(());
    };
    let mut needed = vec![verified.key.clone()];
    if let Some(proof) = &saved.proof {
        let logs: Vec<PublicKey> = saved.log_keys.iter().filter_map(|key| key.public_key().ok()).collect();
        let client = saved.client_id.map(|id| id.to_string());
        let checkpoint = check_entry((&kept, &verified.receipt), proof, (&logs, client.as_deref()), findings);
        if let Some(checkpoint) = checkpoint {
            needed.extend(logs.iter().filter(|key| signed(&proof.checkpoint, key, &checkpoint.origin)).cloned());
            for continued in &saved.consistency {
                findings.judge("consistency", check_continued(continued, &checkpoint, &logs));
            }
        }
    } else {
        findings.skipped("record", "no proof was saved yet: `medcredit bank proof FILE` fetches it");
    }
    match trusted {
        None => findings.warning(
            "trust",
            format!("the file brings its own key {}", short(verified.key.key_id())),
            "give the keys you keep with --keys, or a --profile whose directory has them: this file cannot vouch for itself",
        ),
        Some(trusted) => match needed.iter().find(|key| !trusted.contains(key)) {
            None => findings.good("trust", "every key is one that you keep of this gateway"),
            Some(key) => {
                findings.wrong("trust", format!("key {} is not one that you keep of this gateway", short(key.key_id())));
            }
        },
    }
    Ok(())
}

fn signed(note: &str, key: &PublicKey, origin: &str) -> bool {
    Checkpoint::open(note, &log_keys(std::slice::from_ref(key), origin)).is_ok()
}

/// Verifies that a checkpoint continues an older one.
pub(super) fn check_continued(
    continued: &Continued,
    newer: &Checkpoint,
    keys: &[PublicKey],
) -> Result<(String, ()), String> {
    let older = Checkpoint::open(&continued.checkpoint, &log_keys(keys, &newer.origin))
        .map_err(|error| format!("the older checkpoint: {error}"))?;
    let hash = |text: &String| BASE64.decode(text.as_bytes()).ok().and_then(|bytes| Hash::try_from(bytes).ok());
    let path: Option<Vec<Hash>> = continued.path.iter().map(hash).collect();
    let path = path.ok_or("the path is not one of hashes")?;
    verify_consistency(older.head(), newer.head(), &path).map_err(|error| {
        format!("the log of {} leaves does not continue that of {}: it was rewritten ({error})", newer.size, older.size)
    })?;
    Ok((format!("the log of {} leaves continues the older one of {}", newer.size, older.size), ()))
}

/// Verifies that an answer's entry is in the log; the error names the check that failed.
pub(in crate::cli) fn verify_proof(
    kept: &Kept,
    receipt: &Receipt,
    proof: &Proof,
    keys: &[PublicKey],
) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    check_entry((kept, receipt), proof, (keys, None), &mut findings);
    match findings.first_problem() {
        None => Ok(()),
        Some(problem) => bail!("the proof does not verify: {problem}"),
    }
}
