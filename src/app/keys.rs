//! The active keys, as the rooms that sign and verify see them.

use crate::{
    authority::{AuthorityError, Keyring, Purpose},
    domain::Timestamp,
    identity::{
        PublicKey, SharedSigner,
        keyset::{KeySet, LiveKeys, PublishedKey},
        token::VerificationKeys,
    },
    ledger::LogKeys,
};

/// Takes the active keys out of the keyring.
pub(super) fn key_set(keyring: &Keyring) -> Result<KeySet, AuthorityError> {
    let signing = [Purpose::TokenSigning, Purpose::AnswerSigning, Purpose::LedgerSigning];
    let published = |purpose| keyring.published(purpose).map(|published| published.public_key.clone());
    Ok(KeySet {
        token: keyring.signer(Purpose::TokenSigning)?,
        answer: keyring.signer(Purpose::AnswerSigning)?,
        ledger: keyring.signer(Purpose::LedgerSigning)?,
        cosigners: keyring.cosigners().to_vec(),
        published: signing
            .into_iter()
            .flat_map(|purpose| published(purpose).map(move |key| PublishedKey { purpose: purpose.to_string(), key }))
            .collect(),
        log: keyring.log().to_vec(),
        verification: VerificationKeys::new(published(Purpose::TokenSigning).collect::<Vec<_>>().iter()),
    })
}

/// The keys that sign and verify checkpoints, out of the active keys.
#[derive(Debug)]
pub(super) struct CheckpointKeys(pub(super) LiveKeys);

impl LogKeys for CheckpointKeys {
    fn signer(&self) -> Option<SharedSigner> {
        Some(self.0.load().ledger.clone())
    }

    fn cosigners(&self, now: Timestamp) -> Vec<SharedSigner> {
        let keys = self.0.load();
        keys.cosigners.iter().filter(|(until, _)| now < *until).map(|(_, signer)| signer.clone()).collect()
    }

    fn verification_keys(&self) -> Vec<PublicKey> {
        self.0.load().log.clone()
    }
}
