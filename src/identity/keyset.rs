//! The keys in force: the signers of tokens, responses and checkpoints, and every published public key.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{
    suite::{Jwk, PublicKey, SharedSigner},
    token::VerificationKeys,
};
use crate::domain::Timestamp;

/// A public key that others may verify with.
#[derive(Debug, Clone)]
pub struct PublishedKey {
    /// The purpose: `token_signing`, `answer_signing` or `ledger_signing`.
    pub purpose: String,
    pub key: PublicKey,
}

impl PublishedKey {
    /// The key as a JSON Web Key that says what the key is for.
    pub fn jwk(&self) -> Jwk {
        Jwk { purpose: Some(self.purpose.clone()), ..self.key.jwk() }
    }
}

/// A snapshot of the keys in force.
#[derive(Clone)]
pub struct KeySet {
    /// The signer of access tokens.
    pub token: SharedSigner,
    /// The signer of responses.
    pub answer: SharedSigner,
    /// The signer of the ledger's checkpoints.
    pub ledger: SharedSigner,
    /// Former signers of checkpoints, which sign beside the present one until the given time.
    pub cosigners: Vec<(Timestamp, SharedSigner)>,
    /// The published keys, including the next and retired ones and without revoked ones.
    pub published: Vec<PublishedKey>,
    /// Every key that ever signed checkpoints, including revoked ones: the log continues from what they signed.
    pub log: Vec<PublicKey>,
    /// The published token-signing keys, prepared for verification.
    pub verification: VerificationKeys,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet")
            .field("published", &self.published.iter().map(|published| published.key.key_id()).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The current snapshot, replaced as a whole when a key is rotated or revoked.
pub type LiveKeys = Arc<ArcSwap<KeySet>>;

impl KeySet {
    /// The published keys as a JSON Web Key Set.
    pub fn jwks(&self) -> serde_json::Value {
        serde_json::json!({ "keys": self.published.iter().map(PublishedKey::jwk).collect::<Vec<_>>() })
    }
}
