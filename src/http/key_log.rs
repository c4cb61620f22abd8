//! The key log: every key that ever signed, with its times, so that stored responses can be verified years later.

use serde::Serialize;
use serde_json::Value;

use crate::{
    app::App,
    authority::{KeyRecord, Purpose},
    domain::{Failure, Timestamp},
    ledger::log_keys,
    merkle::VerifierKey,
};

/// Every key that ever signed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct KeyLog {
    /// Origin of the log: the name with which checkpoints are signed.
    #[schema(example = "credit.example.gov.cn/ledger/1")]
    log: String,
    /// Keys, oldest first.
    keys: Vec<KeyView>,
}

/// A signing key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct KeyView {
    /// Identifier of the key: the `keyid` of signatures and the `kid` of tokens.
    kid: String,
    /// Purpose of the key: `token_signing`, `answer_signing` or `ledger_signing`.
    #[schema(example = "answer_signing")]
    purpose: String,
    /// Status of the key. A `next` key is published and does not sign yet; an `active` key signs; a `retired` key signs no more, and its signatures stay valid; a `revoked` key
    /// is not trusted any more.
    #[schema(example = "active")]
    status: String,
    /// Instant at which the key was created and published. It signed from then on, or later.
    #[schema(value_type = String, example = "2026-07-01T01:02:03Z")]
    from: Timestamp,
    /// Instant until which the key signed alone. For thirty days after it a key of the log also signed checkpoints, beside its
    /// successor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    until: Option<Timestamp>,
    /// Instant from which the key is not trusted. An entry was signed in time if a checkpoint proves it that another key signed
    /// or that was stored before this instant; for anything else the time of signing is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    revoked_at: Option<Timestamp>,
    /// Public key (RFC 7517).
    #[schema(value_type = Object)]
    jwk: Value,
    /// C2SP verifier key under the log's origin, for a key that signs checkpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "credit.example.gov.cn/ledger/1+59522a80+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4")]
    verifier: Option<String>,
}

impl KeyLog {
    /// Makes the key log of the keys as last read.
    pub(super) fn of(app: &App) -> Result<Self, Failure> {
        let log = app.config.ledger.origin(&app.config.gateway.public_origin);
        let records = app.key_log.load();
        // Only keys that sign are for others to verify with.
        let public = records.iter().filter(|record| Purpose::SIGNING.contains(&record.key.purpose));
        let keys: Result<Vec<_>, _> = public.map(|record| KeyView::of(record, &log)).collect();
        Ok(Self { keys: keys?, log })
    }
}

impl KeyView {
    fn of(record: &KeyRecord, log: &str) -> Result<Self, Failure> {
        let key = &record.key;
        let verifier = match (key.purpose, log_keys(std::slice::from_ref(&key.public_key)).pop()) {
            (Purpose::LedgerSigning, Some(raw)) => {
                let verifier = VerifierKey::new(log, raw).map_err(|error| Failure::internal(error.to_string()))?;
                Some(verifier.to_string())
            }
            _ => None,
        };
        Ok(Self {
            kid: key.public_key.key_id().to_owned(),
            purpose: key.purpose.to_string(),
            status: record.state.clone(),
            from: key.created_at,
            // A key that was revoked while it was active signed until then.
            until: key.retired_at.or(record.revoked_at),
            revoked_at: record.revoked_at,
            jwk: serde_json::to_value(key.jwk()).map_err(|error| Failure::internal(error.to_string()))?,
            verifier,
        })
    }
}
