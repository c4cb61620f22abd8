//! The verification of an answer: digest, signature, receipt, the ledger's entry, and its inclusion in the log.
//!
//! Each check reports its result as a sentence, and none needs the gateway.

use anyhow::bail;
use data_encoding::BASE64;
use serde_json::Value;

use super::{
    Response,
    keys::{GatewayKeys, short},
    saved_answer::{Consistency, SavedAnswer},
};
use crate::{
    authority::Purpose,
    cli::findings::Findings,
    domain::{Month, Timestamp, ids::DisclosureId},
    identity::{
        PublicKey,
        signature::{Covered, FieldPair, RequestFacts, SignatureFields, SignatureRefusal, content_digest, verify},
    },
    ledger::{Proof, Receipt, check_proof},
    merkle::{Checkpoint, Hash, VerifierKey, verify_consistency},
};

/// A verified answer.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Verified {
    pub(in crate::cli) signed_at: Timestamp,
    /// The key that signed it.
    pub(in crate::cli) key: PublicKey,
    pub(in crate::cli) receipt: Receipt,
}

/// Verifies a response with the published keys; the error names the check that failed.
pub(in crate::cli) fn verify_answer(response: &Response, keys: &GatewayKeys) -> anyhow::Result<Verified> {
    let mut findings = Findings::default();
    let verified = check_answer(response, keys, &mut findings);
    match (findings.first_problem(), verified) {
        (None, Some(verified)) => Ok(verified),
        (problem, _) => bail!("the answer does not verify and is not shown: {}", problem.unwrap_or_default()),
    }
}

/// Runs the checks that need only the response and keys.
pub(super) fn check_answer(response: &Response, keys: &GatewayKeys, findings: &mut Findings) -> Option<Verified> {
    // Every check runs even if one fails: the findings list all that is wrong.
    findings.judge("body", check_body(response));
    let key = findings.judge("key", find_key(response, keys));
    let signed_at = key.as_ref().and_then(|key| findings.judge("signature", check_signature(response, key)));
    let receipt = findings.judge("receipt", check_receipt(response));
    Some(Verified { signed_at: signed_at?, key: key?, receipt: receipt? })
}

fn header<'a>(response: &'a Response, name: &str) -> Result<&'a str, String> {
    response.headers.get(name).map(String::as_str).ok_or_else(|| format!("the answer has no {name}"))
}

fn check_body(response: &Response) -> Result<(String, ()), String> {
    if header(response, "content-digest")? != content_digest(&response.body) {
        return Err("its SHA-256 is not the one in Content-Digest: the body was changed".into());
    }
    Ok((format!("{} bytes, with the SHA-256 of Content-Digest", response.body.len()), ()))
}

fn find_key(response: &Response, keys: &GatewayKeys) -> Result<(String, PublicKey), String> {
    let input = header(response, "signature-input")?;
    // With its quotes, so that no id matches as a part of another.
    let key = keys.find(Purpose::AnswerSigning, |id| input.contains(&format!("keyid=\"{id}\"")))?;
    Ok((format!("{} key {} is the one the signature names", key.suite(), short(key.key_id())), key.clone()))
}

fn check_signature(response: &Response, key: &PublicKey) -> Result<(String, Timestamp), String> {
    let fields = SignatureFields {
        input: header(response, "signature-input")?.to_owned(),
        signature: header(response, "signature")?.to_owned(),
    };
    // The signature's own parameters list the covered fields of the request: a gateway that does not verify this bank's
    // requests does not cover their signatures either.
    let request_header = |name: &str| {
        let covered = fields.input.contains(&format!("\"{name}\";req"));
        response.request_headers.get(name).map(String::as_str).filter(|_| covered)
    };
    let covered = Covered {
        status: response.status.as_u16(),
        content_digest: header(response, "content-digest")?,
        interaction_id: header(response, "x-fapi-interaction-id")?,
        disclosure: header(response, "medcredit-disclosure")?,
        request: RequestFacts {
            method: &response.method,
            target_uri: &response.target_uri,
            digest: request_header("content-digest"),
            signature: request_header("signature-input")
                .zip(request_header("signature"))
                .map(|(input, signature)| FieldPair { input, signature }),
        },
    };
    match verify(&covered, &fields, key.key_id(), key.suite(), key.der()) {
        Ok(at) => Ok((format!("status, digest, receipt, method and target were signed at {at}"), at)),
        Err(SignatureRefusal::Mismatch) => Err(
            "it does not match: status, digest, interaction id, receipt, method or target is not what was signed (the \
             target is under the gateway's public origin)"
                .into(),
        ),
        Err(other) => Err(other.to_string()),
    }
}

fn check_receipt(response: &Response) -> Result<(String, Receipt), String> {
    let receipt = Receipt::parse(header(response, "medcredit-disclosure")?).map_err(|error| error.to_string())?;
    if receipt.id.parse::<DisclosureId>().is_err() {
        return Err("it names no disclosure".into());
    }
    let in_body = response
        .document()
        .and_then(|body| body.get("disclosure").or(body.get("delivery"))?.as_str().map(str::to_owned));
    if in_body.is_some_and(|id| id != receipt.id) {
        return Err(format!("it belongs to {}, and the body to another disclosure", receipt.id));
    }
    Ok((format!("{} in log {}, to be sealed by {}", receipt.id, receipt.log, receipt.by), receipt))
}

/// An answer and its receipt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receipted<'a> {
    pub(super) response: &'a Response,
    pub(super) receipt: &'a Receipt,
}

/// Checks a proof: the entry has the leaf hash of the receipt, its opening matches the answer, and it is in the log.
pub(super) fn check_record(
    answer: Receipted<'_>,
    proof: &Proof,
    keys: &GatewayKeys,
    client: Option<&str>,
    findings: &mut Findings,
) -> Option<Checkpoint> {
    let Receipted { response, receipt } = answer;
    if proof.id != receipt.id || proof.log != receipt.log {
        findings.wrong(
            "record",
            format!("the proof is for {} in {}, not for the receipt's disclosure", proof.id, proof.log),
        );
        return None;
    }
    let leaf = crate::merkle::leaf_hash(proof.entry.as_bytes());
    if leaf != receipt.leaf {
        findings.wrong("record", "the entry's hash is not the leaf hash of the receipt: it is another entry");
        return None;
    }
    findings.good("record", "the ledger's entry has the leaf hash of the signed receipt");
    let verifiers = keys.log(&receipt.log);
    match check_proof(proof, &verifiers) {
        Ok((entry, opened)) => {
            match opened {
                None => findings
                    .skipped("opening", "erased at the gateway: the entry no longer shows who received the data"),
                Some(values) => {
                    findings
                        .good("opening", format!("all {} commitments of the entry match their openings", values.len()));
                    findings.judge("contents", check_contents(response, entry.at, &values, client));
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

/// Compares the entry's values with the answer.
fn check_contents(
    response: &Response,
    at: Timestamp,
    values: &std::collections::BTreeMap<String, Value>,
    client: Option<&str>,
) -> Result<(String, ()), String> {
    let body = response.document().ok_or("the body is not JSON")?;
    let mut seen: Vec<(&str, Value)> = vec![
        ("content_digest", header(response, "content-digest")?.into()),
        ("interaction", header(response, "x-fapi-interaction-id")?.into()),
    ];
    seen.extend(client.map(|client| ("client", client.into())));
    for name in ["consent", "purpose", "uscc", "lines", "refused"] {
        seen.extend(body.get(name).map(|value| (name, value.clone())));
    }
    if let Some(codes) = body.get("codes").and_then(Value::as_array) {
        // As the entry has them: sorted, each of them once.
        let mut codes: Vec<&str> = codes.iter().filter_map(|code| code.get("code")?.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        seen.push(("codes", codes.into()));
    }
    // In a grade history these are half-years, which the entry does not record.
    let month =
        |name: &str| body.get(name).filter(|text| text.as_str().is_some_and(|text| text.parse::<Month>().is_ok()));
    if let (Some(from), Some(to)) = (month("from").or(month("month")), month("to").or(month("month"))) {
        seen.push(("period", serde_json::json!({ "from": from, "to": to })));
    }
    for (name, value) in &seen {
        if values.get(*name) != Some(value) {
            return Err(format!("the entry records another {name} than the answer has"));
        }
    }
    let disclosed_at = body
        .get("disclosed_at")
        .or(body.get("delivered_at"))
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<Timestamp>().ok());
    if disclosed_at.is_some_and(|time| time != at) {
        return Err("the entry records another time than the answer has".into());
    }
    let names: Vec<&str> = seen.iter().map(|(name, _)| *name).collect();
    Ok((format!("the entry records the same values as the answer: {}, and the time", names.join(", ")), ()))
}

/// Runs every check of a saved answer; with trusted keys, also whether the keys in the file are among them, each for what the
/// file uses it for.
pub(super) fn check_saved(
    saved: &SavedAnswer,
    trusted: Option<&GatewayKeys>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let response = saved.response()?;
    // The file's own key; whether it is the gateway's is judged below.
    let own = GatewayKeys::claimed([saved.key.clone()], Purpose::AnswerSigning);
    let Some(verified) = check_answer(&response, &own, findings) else {
        findings.skipped("record", "not checked: the answer itself does not verify");
        return Ok(());
    };
    let mut log_signers = Vec::new();
    if let Some(proof) = &saved.proof {
        let logs = saved.log_keys();
        let client = saved.client_id.map(|id| id.to_string());
        let answer = Receipted { response: &response, receipt: &verified.receipt };
        let checkpoint = check_record(answer, proof, &logs, client.as_deref(), findings);
        if let Some(checkpoint) = checkpoint {
            let signers = logs.of(Purpose::LedgerSigning);
            log_signers.extend(signers.filter(|key| signed(&proof.checkpoint, key, &checkpoint.origin)).cloned());
            for consistency in &saved.consistency {
                findings.judge("consistency", check_consistency(consistency, &checkpoint, &logs));
            }
        }
    } else {
        findings.skipped("record", "no proof is saved yet: `medcredit bank proof FILE` fetches it");
    }
    match trusted {
        None => findings.warning(
            "trust",
            format!("the signing key {} is known only from the file itself", short(verified.key.key_id())),
            "give your own copy of the gateway's keys with --keys, or a --profile whose directory has them",
        ),
        Some(trusted) => match check_trust(trusted, &verified.key, &log_signers) {
            Ok(()) => {
                findings.good("trust", "every key is one of the gateway's keys that you saved, for what it signed");
            }
            Err(text) => findings.wrong("trust", text),
        },
    }
    Ok(())
}

/// Checks that the answer is signed by a trusted key, and its checkpoint, if there is one, by at least one: after a rotation
/// the former key and the new one sign, and the bank may have saved only one of them.
fn check_trust(trusted: &GatewayKeys, answer: &PublicKey, log_signers: &[PublicKey]) -> Result<(), String> {
    trusted.check(answer, Purpose::AnswerSigning)?;
    let mut refused = Ok(());
    for key in log_signers {
        match trusted.check(key, Purpose::LedgerSigning) {
            Ok(()) => return Ok(()),
            Err(text) => refused = Err(text),
        }
    }
    refused
}

fn signed(note: &str, key: &PublicKey, origin: &str) -> bool {
    let raw = key.raw().try_into().ok();
    let verifier = raw.and_then(|raw| VerifierKey::new(origin, raw).ok());
    verifier.is_some_and(|verifier| Checkpoint::open(note, &[verifier]).is_ok())
}

/// Checks that a checkpoint continues an older one (RFC 6962 consistency).
pub(super) fn check_consistency(
    consistency: &Consistency,
    newer: &Checkpoint,
    keys: &GatewayKeys,
) -> Result<(String, ()), String> {
    let older = Checkpoint::open(&consistency.checkpoint, &keys.log(&newer.origin))
        .map_err(|error| format!("the older checkpoint: {error}"))?;
    // A hash that cannot be decoded makes the whole path unusable.
    let hash = |text: &String| BASE64.decode(text.as_bytes()).ok().and_then(|bytes| Hash::try_from(bytes).ok());
    let path: Option<Vec<Hash>> = consistency.path.iter().map(hash).collect();
    let path = path.ok_or("the path does not consist of hashes")?;
    verify_consistency(older.head(), newer.head(), &path).map_err(|error| {
        format!("the log of {} leaves does not continue that of {}: it was rewritten ({error})", newer.size, older.size)
    })?;
    Ok((format!("the log of {} leaves continues the older one of {}", newer.size, older.size), ()))
}

/// Verifies that an answer's entry is in the log; the error names the check that failed.
pub(in crate::cli) fn verify_proof(
    response: &Response,
    receipt: &Receipt,
    proof: &Proof,
    keys: &GatewayKeys,
) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    check_record(Receipted { response, receipt }, proof, keys, None, &mut findings);
    match findings.first_problem() {
        None => Ok(()),
        Some(problem) => bail!("the proof does not verify: {problem}"),
    }
}
