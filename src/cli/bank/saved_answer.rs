//! An answer kept whole, in memory and in a file that proves years later what was asked and told.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::show::clean;
use crate::{
    authority::files,
    domain::{Timestamp, ids::ClientId},
    identity::Jwk,
    ledger::Proof,
};

/// An answer as it arrived: everything its signature covers, and the body's exact bytes.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Kept {
    /// What was asked.
    pub(in crate::cli) method: String,
    /// Where.
    pub(in crate::cli) target_uri: String,
    /// The request's fields that the answer's signature covers: `content-digest`, `signature`, `signature-input`.
    pub(in crate::cli) asked: BTreeMap<String, String>,
    /// What came back.
    pub(in crate::cli) status: StatusCode,
    /// Its header fields, names in lower case.
    pub(in crate::cli) headers: BTreeMap<String, String>,
    /// Its body.
    pub(in crate::cli) body: Vec<u8>,
}

/// What the gateway refused, and why.
#[derive(Debug, thiserror::Error)]
#[error("{method} {target}: {status} {code}: {detail}{hint}")]
pub(in crate::cli) struct Refused {
    method: String,
    target: String,
    /// The status.
    pub(in crate::cli) status: u16,
    /// The stable code.
    pub(in crate::cli) code: String,
    /// The sentence.
    pub(in crate::cli) detail: String,
    hint: String,
}

impl Kept {
    /// A header field.
    pub(in crate::cli) fn header(&self, name: &str) -> anyhow::Result<&str> {
        self.headers.get(name).map(String::as_str).with_context(|| format!("the answer has no {name}"))
    }

    /// The body as JSON.
    pub(in crate::cli) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the answer's body is not JSON")
    }

    /// What the answer says of itself: its body, or the last line of a delivery.
    pub(super) fn told(&self) -> Option<Value> {
        let last = self.body.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
        self.json().ok().or_else(|| serde_json::from_slice(last).ok())
    }

    /// When to try again, where the gateway says.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.headers.get("retry-after")?.parse().ok().map(Duration::from_secs)
    }

    /// Why it was refused; `None` for an answer.
    pub(in crate::cli) fn refusal(&self) -> Option<Refused> {
        if self.status.is_success() {
            return None;
        }
        let said = self.json().unwrap_or_default();
        let text = |name: &str| clean(said.get(name).and_then(Value::as_str).unwrap_or_default());
        let code = text("code") + &text("error");
        let mut hint = String::new();
        if let Some(wait) = self.retry_after() {
            hint = format!(" Try again in {} s.", wait.as_secs());
        }
        if matches!(code.as_str(), "invalid_scope" | "insufficient_scope") {
            hint.push_str(" `medcredit bank doctor` shows the scopes this bank is registered for.");
        }
        if let (Some(id), true) = (self.headers.get("x-fapi-interaction-id"), self.status.is_server_error()) {
            hint.extend([" Tell the bureau this request's id: ", &clean(id)]);
        }
        Some(Refused {
            method: self.method.clone(),
            target: self.target_uri.clone(),
            status: self.status.as_u16(),
            code,
            detail: text("detail") + &text("error_description"),
            hint,
        })
    }

    /// The answer, or an error that says what the gateway said.
    pub(in crate::cli) fn ok(self) -> anyhow::Result<Self> {
        match self.refusal() {
            None => Ok(self),
            Some(refused) => Err(refused.into()),
        }
    }
}

/// A saved answer: `docs/BANK-KIT.md` fixes the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Saved {
    /// The version of this form: 1.
    pub(super) medcredit_answer: u32,
    /// When it was kept, by the bank's clock.
    pub(super) kept_at: Timestamp,
    /// Who asked, as the gateway knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_id: Option<ClientId>,
    /// What was asked.
    pub(super) request: SavedRequest,
    /// What was answered.
    pub(super) answer: SavedAnswer,
    /// The key that signed the answer.
    pub(super) key: Jwk,
    /// The document of `GET /v1/disclosures/{id}/proof`, once sealed.
    #[serde(default)]
    pub(super) proof: Option<Proof>,
    /// The keys of the log that were published when the proof was fetched.
    #[serde(default)]
    pub(super) log_keys: Vec<Jwk>,
    /// Older checkpoints that the proof's one was found to continue.
    #[serde(default)]
    pub(super) consistency: Vec<Continued>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct SavedRequest {
    pub(super) method: String,
    pub(super) target_uri: String,
    /// Its fields that the answer's signature covers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct SavedAnswer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    /// The body's exact text.
    pub(super) body: String,
}

/// An older checkpoint, and the hashes that lead from it to the proof's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Continued {
    /// The older checkpoint's note.
    pub(super) checkpoint: String,
    /// The RFC 6962 consistency proof, base64.
    pub(super) path: Vec<String>,
}

impl Saved {
    /// An answer just received.
    pub(super) fn new(kept: &Kept, key: Jwk, client_id: Option<ClientId>, now: Timestamp) -> anyhow::Result<Self> {
        let body = String::from_utf8(kept.body.clone()).context("the answer's body is not UTF-8")?;
        Ok(Self {
            medcredit_answer: 1,
            kept_at: now,
            client_id,
            request: SavedRequest {
                method: kept.method.clone(),
                target_uri: kept.target_uri.clone(),
                headers: kept.asked.clone(),
            },
            answer: SavedAnswer { status: kept.status.as_u16(), headers: kept.headers.clone(), body },
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
        match value.get("medcredit_answer").and_then(Value::as_u64) {
            Some(1) => serde_json::from_value(value).with_context(name),
            Some(version) => bail!("{} is of version {version}, which this program does not know", name()),
            None => bail!("{} is not a saved answer", name()),
        }
    }

    /// Writes it, for its owner only; what was there is replaced at once or not at all.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec_pretty(self).context("the saved answer")?;
        text.push(b'\n');
        Ok(files::write_private(path, &text)?)
    }

    /// The answer as it arrived.
    pub(super) fn kept(&self) -> anyhow::Result<Kept> {
        Ok(Kept {
            method: self.request.method.clone(),
            target_uri: self.request.target_uri.clone(),
            asked: self.request.headers.clone(),
            status: StatusCode::from_u16(self.answer.status).context("the saved status")?,
            headers: self.answer.headers.clone(),
            body: self.answer.body.clone().into_bytes(),
        })
    }
}

/// Where an answer is to be saved: a file, or a directory in which its disclosure names the file.
#[derive(Debug, Clone)]
pub(super) enum Shelf {
    File(PathBuf),
    Directory(PathBuf),
}

impl Shelf {
    /// Reads `--save`. Evidence is never written over, and that is found out before anything is asked.
    pub(super) fn of(path: Option<&Path>, home: &Path) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Directory(home.to_owned())) };
        if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Ok(Self::Directory(path.to_owned()));
        }
        ensure!(
            !path.exists(),
            "{} is there already, and evidence is not written over: choose another name",
            path.display()
        );
        Ok(Self::File(path.to_owned()))
    }

    /// The file of a disclosure. Its id was verified and is a word.
    pub(super) fn file(&self, disclosure: &str) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Directory(path) => path.join(format!("{disclosure}.json")),
        }
    }
}
