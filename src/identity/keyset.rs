//! The keys in force: what signs tokens, answers and checkpoints now, and every public key that is still published.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{
    suite::{PublicKey, SharedSigner},
    token::VerificationKeys,
};

/// A public key that others may verify with.
#[derive(Debug, Clone)]
pub struct PublishedKey {
    /// What it signs: `token_signing`, `answer_signing` or `ledger_signing`.
    pub purpose: String,
    /// The key.
    pub key: PublicKey,
}

/// A snapshot of the keys in force.
#[derive(Clone)]
pub struct KeySet {
    /// Signs access tokens.
    pub token: SharedSigner,
    /// Signs answers.
    pub answer: SharedSigner,
    /// Signs the ledger's checkpoints.
    pub ledger: SharedSigner,
    /// Every published key, retired ones included, revoked ones not.
    pub published: Vec<PublishedKey>,
    /// Every key that ever signed checkpoints, revoked ones too: a log goes on from what they signed.
    pub log: Vec<PublicKey>,
    /// Verifies our own tokens: made of the published token-signing keys.
    pub verification: VerificationKeys,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet")
            .field("published", &self.published.iter().map(|published| published.key.key_id()).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The snapshot, replaced whole when a key is rotated or revoked.
pub type LiveKeys = Arc<ArcSwap<KeySet>>;

impl KeySet {
    /// The JSON Web Key Set that is served.
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({ "keys": self.published.iter().map(|published| published.key.jwk()).collect::<Vec<_>>() })
    }
}
