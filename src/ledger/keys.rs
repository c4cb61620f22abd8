//! The log's signing keys: Ed25519 keys of a [`SharedSigner`], with the log's origin as the key name.

use std::fmt::Debug;

use crate::{
    domain::Timestamp,
    identity::{PublicKey, SharedSigner, Suite},
    merkle::{Checkpoint, Note, NoteError, NoteSigner, VerifierKey},
};

/// The source of the log's keys. It is read at every sealing, so that a rotation needs no restart.
pub trait LogKeys: Debug + Send + Sync {
    /// The signer of the next checkpoint; none when no key is active.
    fn signer(&self) -> Option<SharedSigner>;

    /// Former keys that still sign beside the signer.
    fn cosigners(&self, now: Timestamp) -> Vec<SharedSigner> {
        let _ = now;
        Vec::new()
    }

    /// Every key that ever signed checkpoints of this log, including the active one.
    fn verification_keys(&self) -> Vec<PublicKey>;
}

/// Keys that do not change while the process runs.
#[derive(Debug, Clone)]
pub struct FixedKeys {
    signer: Option<SharedSigner>,
    verification_keys: Vec<PublicKey>,
}

impl FixedKeys {
    /// One signing key, and former keys that only verify.
    pub fn new(signer: SharedSigner, former: Vec<PublicKey>) -> Self {
        let verification_keys = std::iter::once(signer.public_key().clone()).chain(former).collect();
        Self { signer: Some(signer), verification_keys }
    }

    /// Keys that only verify.
    pub const fn verifying(verification_keys: Vec<PublicKey>) -> Self {
        Self { signer: None, verification_keys }
    }
}

impl LogKeys for FixedKeys {
    fn signer(&self) -> Option<SharedSigner> {
        self.signer.clone()
    }

    fn verification_keys(&self) -> Vec<PublicKey> {
        self.verification_keys.clone()
    }
}

/// A key of the log: the 32 bytes of an Ed25519 public key.
pub type LogKey = [u8; 32];

/// The keys of a list that can sign checkpoints: its Ed25519 keys.
pub fn log_keys(keys: &[PublicKey]) -> Vec<LogKey> {
    let ed25519 = keys.iter().filter(|key| key.suite() == Suite::Ed25519);
    // A key of another length cannot be Ed25519; skipped, it can confirm nothing.
    ed25519.filter_map(|key| key.raw().try_into().ok()).collect()
}

/// The log's signer, as a signer of notes.
#[derive(Debug)]
pub(super) struct OriginSigner {
    key: VerifierKey,
    signer: SharedSigner,
}

impl OriginSigner {
    pub(super) fn new(origin: &str, signer: SharedSigner) -> Result<Self, NoteError> {
        // None when the signer's key is of another suite: notes are signed with Ed25519 only.
        let raw = log_keys(std::slice::from_ref(signer.public_key())).pop().ok_or(NoteError::Key)?;
        Ok(Self { key: VerifierKey::new(origin, raw)?, signer })
    }
}

impl NoteSigner for OriginSigner {
    fn key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], NoteError> {
        let signature = self.signer.sign(text).map_err(|error| NoteError::Signer(error.to_string()))?;
        signature.try_into().map_err(|_| NoteError::Signer("an Ed25519 signature has 64 bytes".into()))
    }
}

/// Signs a checkpoint with every key that signs at a time; `None` when no key is active.
pub(super) fn sign_checkpoint(
    checkpoint: &Checkpoint,
    keys: &dyn LogKeys,
    now: Timestamp,
) -> Result<Option<String>, NoteError> {
    let Some(signer) = keys.signer() else { return Ok(None) };
    // The present key first: the lines of former ones disappear again.
    let mut note = checkpoint.sign(&OriginSigner::new(&checkpoint.origin, signer)?)?;
    for former in keys.cosigners(now) {
        note = checkpoint.cosign(note, &OriginSigner::new(&checkpoint.origin, former)?)?;
    }
    Ok(Some(note))
}

/// Verifies and parses a checkpoint of this log: of this epoch, or of an earlier one that a restore ended.
pub fn open_checkpoint(note: &str, origin: &str, keys: &[LogKey]) -> Result<Checkpoint, NoteError> {
    // The origin is read before the signature is verified, because it is the name of the key to verify with; a forged
    // one only selects a key name under which no signature verifies.
    let parsed = Note::parse(note)?;
    let signed_origin = parsed.unverified_text().lines().next().unwrap_or_default();
    if !same_lineage(signed_origin, origin) {
        return Err(NoteError::Form("it is of another log"));
    }
    let keys: Vec<_> = keys.iter().map(|key| VerifierKey::new(signed_origin, *key)).collect::<Result<_, _>>()?;
    Checkpoint::open(note, &keys)
}

/// The epoch at the end of an origin.
pub(super) fn epoch_of(origin: &str) -> Option<i64> {
    origin.rsplit_once('/')?.1.parse().ok()
}

/// Whether `former` is `origin`, or differs from it by a lower epoch only.
fn same_lineage(former: &str, origin: &str) -> bool {
    let parts = |text: &str| {
        let (log, epoch) = text.rsplit_once('/')?;
        Some((log.to_owned(), epoch.parse::<u64>().ok()?))
    };
    match (parts(former), parts(origin)) {
        // First, so that an origin without an epoch at its end still equals itself.
        _ if former == origin => true,
        (Some((former_log, former_epoch)), Some((log, epoch))) => former_log == log && former_epoch < epoch,
        _ => false,
    }
}
