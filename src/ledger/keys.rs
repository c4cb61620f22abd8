//! The log's own keys, by way of the one signing boundary: Ed25519 under the origin as the key's name.

use std::fmt::Debug;

use crate::{
    identity::{PublicKey, SharedSigner, Suite},
    merkle::{Checkpoint, Note, NoteError, NoteSigner, VerifierKey},
};

/// Where the log's keys come from. Asked at every sealing, so that a rotation needs no restart.
pub trait LogKeys: Debug + Send + Sync {
    /// What signs the next checkpoint; none when no key is active.
    fn signer(&self) -> Option<SharedSigner>;

    /// Every key that ever signed checkpoints of this log, the present one among them.
    fn known(&self) -> Vec<PublicKey>;
}

/// Keys that do not change while the process runs.
#[derive(Debug, Clone)]
pub struct FixedKeys {
    signer: Option<SharedSigner>,
    known: Vec<PublicKey>,
}

impl FixedKeys {
    /// One key that signs, and former ones that only verify.
    pub fn new(signer: SharedSigner, former: Vec<PublicKey>) -> Self {
        let known = std::iter::once(signer.public_key().clone()).chain(former).collect();
        Self { signer: Some(signer), known }
    }

    /// Keys that only verify.
    pub const fn verifying(known: Vec<PublicKey>) -> Self {
        Self { signer: None, known }
    }
}

impl LogKeys for FixedKeys {
    fn signer(&self) -> Option<SharedSigner> {
        self.signer.clone()
    }

    fn known(&self) -> Vec<PublicKey> {
        self.known.clone()
    }
}

/// A key of the log: the 32 bytes of an Ed25519 public key.
pub type LogKey = [u8; 32];

/// The keys of a list that can be a log's.
pub fn log_keys(keys: &[PublicKey]) -> Vec<LogKey> {
    let ed25519 = keys.iter().filter(|key| key.suite() == Suite::Ed25519);
    ed25519.filter_map(|key| key.raw().try_into().ok()).collect()
}

/// The log's signer as notes want it.
#[derive(Debug)]
pub(super) struct OriginSigner {
    key: VerifierKey,
    signer: SharedSigner,
}

impl OriginSigner {
    pub(super) fn new(origin: &str, signer: SharedSigner) -> Result<Self, NoteError> {
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

/// Opens a checkpoint of this log: of this epoch, or of an earlier one that a restore ended.
pub(super) fn open_checkpoint(note: &str, origin: &str, keys: &[LogKey]) -> Result<Checkpoint, NoteError> {
    let parsed = Note::parse(note)?;
    let written = parsed.unverified_text().lines().next().unwrap_or_default();
    if !same_lineage(written, origin) {
        return Err(NoteError::Form("it is of another log"));
    }
    let keys: Vec<_> = keys.iter().map(|key| VerifierKey::new(written, *key)).collect::<Result<_, _>>()?;
    Checkpoint::open(note, &keys)
}

/// Whether `former` is `origin`, or differs from it by a lower epoch only.
fn same_lineage(former: &str, origin: &str) -> bool {
    let parts = |text: &str| {
        let (log, epoch) = text.rsplit_once('/')?;
        Some((log.to_owned(), epoch.parse::<u64>().ok()?))
    };
    match (parts(former), parts(origin)) {
        _ if former == origin => true,
        (Some((former_log, former_epoch)), Some((log, epoch))) => former_log == log && former_epoch < epoch,
        _ => false,
    }
}
