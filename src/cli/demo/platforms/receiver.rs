//! A platform on this machine that takes pages over HTTPS, by the rules of docs/CARRIERS.md: mutual TLS with an authority of its
//! own, signatures verified, answers row by row. What it holds is kept in a file.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, Method, StatusCode},
    routing::{get, post},
};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    authority::Purpose,
    identity::{Verifier as _, keyset::LiveKeys, signature::digest::verify_digest},
    push::carrier::{RejectReason, fields_digest},
};

/// Entries of one page of a list.
const PAGE: usize = 1_000;

/// A record that it holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct HeldRecord {
    version: i64,
    withdrawn: bool,
    digest: String,
}

/// What it keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    records: BTreeMap<String, HeldRecord>,
    /// The keys of the pages that it took.
    keys: std::collections::BTreeSet<String>,
    /// What it decided about rows, by package.
    receipts: BTreeMap<i64, Vec<Value>>,
}

/// The platform.
pub(in crate::cli::demo) struct Receiver {
    /// The URL that its requests are for, without a final slash.
    origin: String,
    keys: LiveKeys,
    file: PathBuf,
    /// A name that its register of enterprises does not have: rows with it are rejected.
    unknown_name: Mutex<Option<String>>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Deserialize)]
struct PageBody {
    rows: Vec<PageRow>,
}

#[derive(Debug, Deserialize)]
struct PageRow {
    record_id: String,
    version: i64,
    operation: String,
    fields: serde_json::Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct After {
    #[serde(default)]
    after: String,
}

type Refused = (StatusCode, Json<Value>);

fn refused(status: StatusCode, why: &str) -> Refused {
    (status, Json(json!({ "detail": why })))
}

impl Receiver {
    /// Opens the platform with what it kept.
    pub(super) fn open(origin: String, keys: LiveKeys, file: PathBuf) -> anyhow::Result<Arc<Self>> {
        let kept = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| file.display().to_string())?,
            Err(_) => Kept::default(),
        };
        Ok(Arc::new(Self { origin, keys, file, unknown_name: Mutex::default(), kept: Mutex::new(kept) }))
    }

    /// Its register does not have this name.
    pub(super) fn does_not_know(&self, name: &str) {
        *self.unknown_name.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    /// The version of a record that it holds.
    pub(super) fn version(&self, record: &str) -> Option<i64> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.records.get(record).filter(|held| !held.withdrawn).map(|held| held.version)
    }

    /// Writes what it keeps, for the next start.
    pub(super) fn save(&self) -> anyhow::Result<()> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::write(&self.file, serde_json::to_vec(&*kept)?).with_context(|| self.file.display().to_string())
    }

    /// Its interface.
    pub(super) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/packages/{package}/pages/{page}", post(take))
            .route("/packages/{package}/receipts", get(receipts))
            .route("/records", get(records))
            // Pages have the size that the platform's file gives them.
            .layer(axum::extract::DefaultBodyLimit::max(64 << 20))
            .with_state(Arc::clone(self))
    }

    /// Verifies the signature of a request (RFC 9421) with the gateway's published keys.
    fn verify(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Refused> {
        let unsigned = |why| refused(StatusCode::UNAUTHORIZED, why);
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let field = |name| header(name).and_then(|text| text.strip_prefix("medcredit="));
        let (Some(input), Some(signature)) = (field("signature-input"), field("signature")) else {
            return Err(unsigned("a signature with the label medcredit is required"));
        };
        let names = input.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(names, _)| names);
        let names = names.ok_or_else(|| unsigned("Signature-Input has no components"))?;
        let mut base = String::new();
        for name in names.split(' ').map(|name| name.trim_matches('"')) {
            let value = match name {
                "@method" => method.as_str().to_owned(),
                "@target-uri" => format!("{}{path}", self.origin),
                other => header(other).ok_or_else(|| unsigned("a signed header is missing"))?.to_owned(),
            };
            base.extend(["\"", name, "\": ", &value, "\n"]);
        }
        base.extend(["\"@signature-params\": ", input]);
        let key_id = input.split("keyid=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let keys = self.keys.load();
        let mut published = keys.published.iter().filter(|key| key.purpose == Purpose::AnswerSigning.as_str());
        let key = published.find(|key| key.key.key_id() == key_id).ok_or_else(|| unsigned("an unknown key"))?;
        let signature = signature.trim_matches(':');
        let signature = BASE64.decode(signature.as_bytes()).map_err(|_| unsigned("Signature is not base64"))?;
        key.key.verify(base.as_bytes(), &signature).map_err(|_| unsigned("the signature does not fit"))
    }

    /// Decides about the rows of a page.
    fn decide(&self, package: i64, rows: Vec<PageRow>) {
        let unknown = self.unknown_name.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            let texts: Vec<(&str, &str)> =
                row.fields.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
            let stands = kept.records.get(&row.record_id).is_some_and(|held| !held.withdrawn);
            let is_unknown = unknown.as_deref().is_some_and(|name| texts.iter().any(|(_, text)| *text == name));
            let rejected = match row.operation.as_str() {
                "I" if stands => Some(RejectReason::Duplicate),
                "U" | "D" if !stands => Some(RejectReason::NoOriginal),
                "I" | "U" if is_unknown => Some(RejectReason::SubjectUnknown),
                _ => None,
            };
            let (record_id, version) = (&row.record_id, row.version);
            let receipt = if let Some(reason) = rejected {
                json!({
                    "record_id": record_id, "version": version, "verdict": "rejected", "reason": reason.code(),
                    "note": "登记库中没有这个名称",
                })
            } else {
                let digest = fields_digest(texts.into_iter());
                let held = HeldRecord { version, withdrawn: row.operation == "D", digest };
                kept.records.insert(record_id.clone(), held);
                json!({ "record_id": record_id, "version": version, "verdict": "accepted" })
            };
            kept.receipts.entry(package).or_default().push(receipt);
        }
    }
}

async fn take(
    State(receiver): State<Arc<Receiver>>,
    Path((package, page)): Path<(i64, u32)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Refused> {
    let bad = |why: &str| refused(StatusCode::BAD_REQUEST, why);
    receiver.verify(&Method::POST, &format!("/packages/{package}/pages/{page}"), &headers)?;
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    verify_digest(header("content-digest"), &body).map_err(|refusal| bad(&refusal.to_string()))?;
    let key = header("idempotency-key").to_owned();
    let is_new = receiver.kept.lock().unwrap_or_else(PoisonError::into_inner).keys.insert(key.clone());
    // A repeated page is answered as the first time.
    if is_new {
        let page: PageBody = serde_json::from_slice(&body).map_err(|error| bad(&error.to_string()))?;
        receiver.decide(package, page.rows);
    }
    Ok(Json(json!({ "receipt_number": key.trim_matches('"') })))
}

/// A page of a list after a position.
fn listed(member: &str, all: impl Iterator<Item = Value>, after: &str) -> Json<Value> {
    let from: usize = after.parse().unwrap_or(0);
    let mut page: Vec<Value> = all.skip(from).take(PAGE + 1).collect();
    let next = (page.len() > PAGE).then(|| (from + PAGE).to_string());
    page.truncate(PAGE);
    Json(json!({ member: page, "next": next }))
}

fn query(after: &str) -> String {
    if after.is_empty() { String::new() } else { format!("?after={after}") }
}

async fn receipts(
    State(receiver): State<Arc<Receiver>>,
    Path(package): Path<i64>,
    Query(After { after }): Query<After>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refused> {
    receiver.verify(&Method::GET, &format!("/packages/{package}/receipts{}", query(&after)), &headers)?;
    let kept = receiver.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let all = kept.receipts.get(&package).into_iter().flatten().cloned();
    Ok(listed("receipts", all, &after))
}

async fn records(
    State(receiver): State<Arc<Receiver>>,
    Query(After { after }): Query<After>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refused> {
    receiver.verify(&Method::GET, &format!("/records{}", query(&after)), &headers)?;
    let kept = receiver.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let held = kept.records.iter().filter(|(_, held)| !held.withdrawn);
    let all = held.map(|(id, held)| json!({ "record_id": id, "version": held.version, "digest": held.digest }));
    Ok(listed("records", all, &after))
}
