//! The keys that the gateway publishes, each for one purpose.
//!
//! A key verifies only what it is for: the gateway's token key is in more hands and places than its answer key, and a
//! signature by it must not pass for an answer, a receipt or a checkpoint.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{
    authority::{Purpose, files},
    identity::{Jwk, PublicKey, Suite, keyset::PublishedKey},
    merkle::VerifierKey,
};

/// The beginning of a key's id, short enough to read aloud.
pub(in crate::cli) fn short(key_id: &str) -> &str {
    // A shorter id is shown whole.
    key_id.get(..12).unwrap_or(key_id)
}

/// Published keys with their purposes.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct GatewayKeys(Vec<PublishedKey>);

impl GatewayKeys {
    /// The keys of a JSON Web Key Set. Members that are no public signature keys are left out.
    pub(in crate::cli) fn of_set(jwks: &Value) -> anyhow::Result<Self> {
        let keys = jwks.get("keys").and_then(Value::as_array).context("the key set has no keys")?;
        Ok(Self::of_jwks(keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok())))
    }

    /// The keys of a list.
    pub(super) fn of_jwks(keys: impl IntoIterator<Item = Jwk>) -> Self {
        // Keys of suites that this program does not know are left out.
        let read = |jwk: Jwk| {
            let key = jwk.public_key().ok()?;
            Some(PublishedKey { purpose: jwk.purpose.unwrap_or_default(), key })
        };
        Self(keys.into_iter().filter_map(read).collect())
    }

    /// The keys of a saved file, which says of itself what they are for: those without a purpose are taken for what the
    /// file uses them for, as files of earlier versions have none. Only the bank's own keys make them trusted.
    pub(super) fn claimed(keys: impl IntoIterator<Item = Jwk>, purpose: Purpose) -> Self {
        let assumed = |jwk: Jwk| Jwk { purpose: jwk.purpose.clone().or(Some(purpose.to_string())), ..jwk };
        Self::of_jwks(keys.into_iter().map(assumed))
    }

    /// The keys of a file with a JSON Web Key Set.
    pub(in crate::cli) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = || path.display().to_string();
        let set: Value = serde_json::from_slice(&files::read(path)?).with_context(name)?;
        let keys = Self::of_set(&set).with_context(name)?;
        ensure!(
            !keys.0.is_empty(),
            "{}: none of its keys is a public signature key (ES256 or Ed25519)",
            path.display()
        );
        Ok(keys)
    }

    /// Every key.
    pub(in crate::cli) fn all(&self) -> &[PublishedKey] {
        &self.0
    }

    /// The keys of a purpose.
    pub(super) fn of(&self, purpose: Purpose) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().filter(move |published| published.purpose == purpose.as_str()).map(|published| &published.key)
    }

    /// The keys of a purpose as members of a JSON Web Key Set.
    pub(super) fn jwks(&self, purpose: Purpose) -> Vec<Jwk> {
        self.0.iter().filter(|published| published.purpose == purpose.as_str()).map(PublishedKey::jwk).collect()
    }

    /// The key that a signature names, if it is for a purpose. `named` chooses it by its id.
    pub(super) fn find(&self, purpose: Purpose, named: impl Fn(&str) -> bool) -> Result<&PublicKey, String> {
        let found = self.0.iter().find(|published| named(published.key.key_id()));
        let found = found.ok_or("none of the given keys is the one the signature names")?;
        check_purpose(found, purpose)?;
        Ok(&found.key)
    }

    /// Checks that a key is one of these, for a purpose.
    pub(super) fn check(&self, key: &PublicKey, purpose: Purpose) -> Result<(), String> {
        let found = self.0.iter().find(|published| published.key == *key);
        let id = short(key.key_id());
        let found = found.ok_or_else(|| format!("key {id} is not one of the gateway's keys that you saved"))?;
        check_purpose(found, purpose)
    }

    /// The keys of a log, under the log's name.
    pub(in crate::cli) fn log(&self, origin: &str) -> Vec<VerifierKey> {
        self.of(Purpose::LedgerSigning)
            .filter(|key| key.suite() == Suite::Ed25519)
            .filter_map(|key| VerifierKey::new(origin, key.raw().try_into().ok()?).ok())
            .collect()
    }
}

fn check_purpose(found: &PublishedKey, purpose: Purpose) -> Result<(), String> {
    let id = short(found.key.key_id());
    match found.purpose.as_str() {
        same if same == purpose.as_str() => Ok(()),
        "" => Err(format!(
            "your copy of the gateway's keys does not say what key {id} is for: fetch /.well-known/jwks.json again, or run \
             `medcredit bank doctor`"
        )),
        other => {
            Err(format!("key {id} is the gateway's for {other}, and not for {purpose}: what it signed is a forgery"))
        }
    }
}
