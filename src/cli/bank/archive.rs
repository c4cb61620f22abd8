//! The bank's own directory: every key and the newest checkpoint that the gateway published, so that a gateway that rewrites
//! its log is detected.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys::{GatewayKeys, short};
use crate::{authority::files, domain::Timestamp, identity::Jwk};

/// The bank's directory.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Archive(PathBuf);

/// A key that the gateway published.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownKey {
    first_seen: Timestamp,
    #[serde(flatten)]
    jwk: Jwk,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct KnownKeys {
    keys: Vec<KnownKey>,
}

impl Archive {
    /// The directory of a profile.
    pub(super) fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn read_keys(&self) -> anyhow::Result<KnownKeys> {
        let path = self.0.join("keys.json");
        if !path.exists() {
            return Ok(KnownKeys::default());
        }
        serde_json::from_slice(&files::read(&path)?).with_context(|| path.display().to_string())
    }

    /// Every key that this gateway has published, as far as this bank has seen.
    pub(super) fn keys(&self) -> anyhow::Result<GatewayKeys> {
        Ok(GatewayKeys::of_jwks(self.read_keys()?.keys.into_iter().map(|known| known.jwk)))
    }

    /// Saves the published keys, and returns the thumbprints of the new ones.
    pub(super) fn save_keys(&self, jwks: &Value, now: Timestamp) -> anyhow::Result<Vec<String>> {
        let mut known = self.read_keys()?;
        let published = jwks.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let (mut new, mut changed) = (Vec::new(), false);
        // Only added to: an old answer is verified with the key that signed it, also when that is published no more.
        for jwk in published.iter().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok()) {
            let thumbprint = jwk.thumbprint();
            match known.keys.iter_mut().find(|key| key.jwk.thumbprint() == thumbprint) {
                None => {
                    known.keys.push(KnownKey { first_seen: now, jwk });
                    new.push(thumbprint);
                }
                // Saved before keys had purposes.
                Some(saved) if saved.jwk.purpose.is_none() && jwk.purpose.is_some() => {
                    saved.jwk.purpose = jwk.purpose;
                    changed = true;
                }
                Some(saved) => ensure!(
                    saved.jwk.purpose == jwk.purpose,
                    "the gateway publishes key {} for {}, and you saved it for {}: a key never changes its purpose. Ask the \
                     bureau over another channel, and keep your copy",
                    short(&thumbprint),
                    jwk.purpose.as_deref().unwrap_or("no purpose"),
                    saved.jwk.purpose.as_deref().unwrap_or("no purpose")
                ),
            }
        }
        if changed || !new.is_empty() {
            let mut text = serde_json::to_vec_pretty(&known).context("keys.json")?;
            text.push(b'\n');
            files::write_private(&self.0.join("keys.json"), &text)?;
        }
        Ok(new)
    }

    /// The newest saved checkpoint.
    pub(super) fn checkpoint(&self) -> anyhow::Result<Option<String>> {
        let path = self.0.join("checkpoint");
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read(&path)?;
        Ok(Some(String::from_utf8(bytes.to_vec()).with_context(|| path.display().to_string())?))
    }

    /// Saves a checkpoint, which the caller has verified to continue the saved one.
    pub(super) fn save_checkpoint(&self, note: &str) -> anyhow::Result<()> {
        Ok(files::write_private(&self.0.join("checkpoint"), note.as_bytes())?)
    }
}
