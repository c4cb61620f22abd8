//! A whole response, in memory and in a file that proves years later what was requested and what was answered.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{keys::GatewayKeys, show::clean};
use crate::{
    authority::{Purpose, files},
    domain::{Timestamp, ids::ClientId},
    identity::{Jwk, PublicKey},
    ledger::Proof,
};

/// A response as it arrived: everything its signature covers, and the exact bytes of the body.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Response {
    /// The request's method.
    pub(in crate::cli) method: String,
    /// The request's target, under the gateway's public origin.
    pub(in crate::cli) target_uri: String,
    /// The request's fields that the answer's signature covers: `content-digest`, `signature`, `signature-input`.
    pub(in crate::cli) request_headers: BTreeMap<String, String>,
    pub(in crate::cli) status: StatusCode,
    /// The header fields, names in lower case.
    pub(in crate::cli) headers: BTreeMap<String, String>,
    pub(in crate::cli) body: Vec<u8>,
}

/// A request that the gateway refused.
#[derive(Debug, thiserror::Error)]
#[error("{method} {target}: {status} {code}: {detail}{hint}")]
pub(in crate::cli) struct Refusal {
    method: String,
    target: String,
    pub(in crate::cli) status: u16,
    /// The problem's stable code.
    pub(in crate::cli) code: String,
    /// The problem's detail.
    pub(in crate::cli) detail: String,
    hint: String,
}

impl Response {
    /// A header field; an error where it is missing.
    pub(in crate::cli) fn header(&self, name: &str) -> anyhow::Result<&str> {
        self.headers.get(name).map(String::as_str).with_context(|| format!("the answer has no {name}"))
    }

    /// The body as JSON.
    pub(in crate::cli) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the answer's body is not JSON")
    }

    /// The JSON document with the answer's ids and times: the body, or the last line of a delivery.
    pub(super) fn document(&self) -> Option<Value> {
        let last = self.body.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
        self.json().ok().or_else(|| serde_json::from_slice(last).ok())
    }

    /// How long to wait before the next try, from `Retry-After`.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.headers.get("retry-after")?.parse().ok().map(Duration::from_secs)
    }

    /// The refusal; none for a successful response.
    pub(in crate::cli) fn refusal(&self) -> Option<Refusal> {
        if self.status.is_success() {
            return None;
        }
        // A refusal by a proxy may not be JSON; the status is shown all the same.
        let problem = self.json().unwrap_or_default();
        let text = |name: &str| clean(problem.get(name).and_then(Value::as_str).unwrap_or_default());
        // One of the two is empty: a problem document has `code`, an OAuth error has `error`.
        let code = text("code") + &text("error");
        let mut hint = String::new();
        if let Some(wait) = self.retry_after() {
            hint = format!(" Try again in {} s.", wait.as_secs());
        }
        if matches!(code.as_str(), "invalid_scope" | "insufficient_scope") {
            hint.push_str(" `medcredit bank doctor` shows the scopes this bank is registered for.");
        }
        if let (Some(id), true) = (self.headers.get("x-fapi-interaction-id"), self.status.is_server_error()) {
            hint.extend([" Give the bureau this request's id: ", &clean(id)]);
        }
        Some(Refusal {
            method: self.method.clone(),
            target: self.target_uri.clone(),
            status: self.status.as_u16(),
            code,
            detail: text("detail") + &text("error_description"),
            hint,
        })
    }

    /// The response, or the refusal as an error.
    pub(in crate::cli) fn ok(self) -> anyhow::Result<Self> {
        match self.refusal() {
            None => Ok(self),
            Some(refused) => Err(refused.into()),
        }
    }
}

/// A saved answer. docs/BANK-KIT.md specifies the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct SavedAnswer {
    /// The version of this format: 1.
    pub(super) medcredit_answer: u32,
    /// When it was saved, by the bank's clock.
    pub(super) kept_at: Timestamp,
    /// The bank's `client_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_id: Option<ClientId>,
    pub(super) request: SavedRequest,
    pub(super) answer: SavedResponse,
    /// The key that signed the answer.
    pub(super) key: Jwk,
    /// The document of `GET /v1/disclosures/{id}/proof`, once the disclosure is sealed.
    #[serde(default)]
    pub(super) proof: Option<Proof>,
    /// The log's keys that were published when the proof was fetched.
    #[serde(default)]
    pub(super) log_keys: Vec<Jwk>,
    /// Older checkpoints, each with the proof that the log of this proof continues it.
    #[serde(default)]
    pub(super) consistency: Vec<Consistency>,
}

/// The request of a saved answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct SavedRequest {
    pub(super) method: String,
    pub(super) target_uri: String,
    /// The fields that the answer's signature covers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
}

/// The response of a saved answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct SavedResponse {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    /// The exact text of the body.
    pub(super) body: String,
}

/// An older checkpoint, and the proof that a newer one continues it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Consistency {
    /// The older checkpoint's note.
    pub(super) checkpoint: String,
    /// The RFC 6962 consistency proof, base64.
    pub(super) path: Vec<String>,
}

impl SavedAnswer {
    /// A response that was just received and verified.
    pub(super) fn new(
        response: &Response,
        key: &PublicKey,
        client_id: Option<ClientId>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let key = Jwk { purpose: Some(Purpose::AnswerSigning.to_string()), ..key.jwk() };
        let body = String::from_utf8(response.body.clone()).context("the answer's body is not UTF-8")?;
        Ok(Self {
            medcredit_answer: 1,
            kept_at: now,
            client_id,
            request: SavedRequest {
                method: response.method.clone(),
                target_uri: response.target_uri.clone(),
                headers: response.request_headers.clone(),
            },
            answer: SavedResponse { status: response.status.as_u16(), headers: response.headers.clone(), body },
            key,
            proof: None,
            log_keys: Vec::new(),
            consistency: Vec::new(),
        })
    }

    /// Reads a saved answer.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = || path.display().to_string();
        let text = files::read(path)?;
        let value: Value = serde_json::from_slice(&text).with_context(name)?;
        // Before the rest is read: another version may have other members.
        match value.get("medcredit_answer").and_then(Value::as_u64) {
            Some(1) => serde_json::from_value(value).with_context(name),
            Some(version) => bail!("{} has format version {version}, which this program does not support", name()),
            None => bail!("{} is not a saved answer", name()),
        }
    }

    /// Writes the file, readable by its owner only. An existing file is replaced whole or not at all.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec_pretty(self).context("the saved answer")?;
        text.push(b'\n');
        Ok(files::write_private(path, &text)?)
    }

    /// The log's keys that the file has.
    pub(super) fn log_keys(&self) -> GatewayKeys {
        GatewayKeys::claimed(self.log_keys.iter().cloned(), Purpose::LedgerSigning)
    }

    /// The response as it arrived.
    pub(super) fn response(&self) -> anyhow::Result<Response> {
        Ok(Response {
            method: self.request.method.clone(),
            target_uri: self.request.target_uri.clone(),
            request_headers: self.request.headers.clone(),
            status: StatusCode::from_u16(self.answer.status).context("the saved status")?,
            headers: self.answer.headers.clone(),
            body: self.answer.body.clone().into_bytes(),
        })
    }
}

/// Where to save an answer: a file, or a directory, where the file is named after the disclosure.
#[derive(Debug, Clone)]
pub(super) enum SavePath {
    File(PathBuf),
    Directory(PathBuf),
}

impl SavePath {
    /// Reads `--save`. Evidence is never overwritten, which is checked before the request is sent.
    pub(super) fn of(path: Option<&Path>, home: &Path) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Directory(home.to_owned())) };
        // A slash at the end names a directory that does not exist yet.
        if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Ok(Self::Directory(path.to_owned()));
        }
        ensure!(!path.exists(), "{} exists, and evidence is not overwritten: choose another name", path.display());
        Ok(Self::File(path.to_owned()))
    }

    /// The file of a disclosure. Its id is verified, so it is safe as a file name.
    pub(super) fn file(&self, disclosure: &str) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Directory(path) => path.join(format!("{disclosure}.json")),
        }
    }
}
