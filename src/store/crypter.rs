//! Secrets at rest, bound to their context: a sealed value moved to another row, column or table does not open.
//!
//! AES-256-GCM under a list of keys: one seals, all open, and each sealed value names its key, so that a key is replaced
//! by adding a new one. The first key seals until the crypter is to follow what is sealed already. From each master key two keys are derived (HKDF-SHA-256): one seals, one makes
//! keyed hashes for values that are only ever compared (account numbers). The master key itself is not used and not stored.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    hkdf, hmac,
};
use data_encoding::{BASE64, HEXLOWER};
use zeroize::Zeroizing;

/// The version of the layout of sealed values; it changes with any of the lengths or derivations below.
const FORMAT: u8 = 1;
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Format, key id and nonce precede the ciphertext.
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CrypterError {
    /// No key was given.
    #[error("no key-encryption key is given: one base64 key of 32 bytes is needed")]
    NoKey,
    /// A key is not 32 bytes in base64. The text is not repeated: it may be most of a key.
    #[error("key-encryption key number {0} is not 32 bytes in base64")]
    BadKey(usize),
    /// The same key was given twice.
    #[error("key-encryption key number {0} is the same as an earlier one")]
    DuplicateKey(usize),
    /// The value is too short, or has a layout unknown to this build.
    #[error("a sealed value of {table}.{column} is cut short or of an unknown layout")]
    Malformed {
        /// Where it was read.
        table: &'static str,
        /// Where it was read.
        column: &'static str,
    },
    /// The key that sealed it is not in the list.
    #[error("a sealed value of {table}.{column} names a key-encryption key that is not in the list")]
    UnknownKey {
        /// Where it was read.
        table: &'static str,
        /// Where it was read.
        column: &'static str,
    },
    /// It was changed, or sealed for another context.
    #[error("a sealed value of {table}.{column} was changed or moved from another place")]
    Refused {
        /// Where it was read.
        table: &'static str,
        /// Where it was read.
        column: &'static str,
    },
    /// The cryptographic provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
}

/// The table, row and column that a sealed value belongs to, authenticated with the value.
#[derive(Debug, Clone, Copy)]
pub struct SealContext<'a> {
    /// The table, or the kind of file.
    pub table: &'static str,
    /// The id of the row, or of the file.
    pub row: &'a str,
    /// The column, with the purpose when one column has several kinds of secrets.
    pub column: &'static str,
}

impl SealContext<'_> {
    /// Each part is preceded by its length, so that no two contexts have the same encoding.
    fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        // 24: three lengths of eight bytes each.
        let mut data = Vec::with_capacity(header.len() + self.table.len() + self.row.len() + self.column.len() + 24);
        // The header is authenticated, too: a value whose format or key id was exchanged does not open.
        data.extend_from_slice(header);
        for part in [self.table, self.row, self.column] {
            push_part(&mut data, part.as_bytes());
        }
        data
    }

    const fn malformed(&self) -> CrypterError {
        CrypterError::Malformed { table: self.table, column: self.column }
    }
}

fn push_part(out: &mut Vec<u8>, part: &[u8]) {
    // A length in memory always fits into 64 bits.
    out.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
    out.extend_from_slice(part);
}

struct DerivedKey {
    id: [u8; KEY_ID_BYTES],
    sealing: RandomizedNonceKey,
    blinding: hkdf::Prk,
}

/// The output length of a derivation.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(from: &hkdf::Prk, info: &[u8], out: &mut [u8]) -> Result<(), CrypterError> {
    from.expand(&[info], Length(out.len())).and_then(|okm| okm.fill(out)).map_err(|_| CrypterError::Provider)
}

impl DerivedKey {
    fn from_master(master: &[u8; KEY_BYTES]) -> Result<Self, CrypterError> {
        // The salt separates these derivations from any other use of the same master key.
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"medcredit/crypter/1").extract(master);
        // The id is derived as well: it is stored in the clear, and reveals nothing about the master key.
        let mut id = [0; KEY_ID_BYTES];
        derive(&root, b"key id", &mut id)?;
        let mut sealing = Zeroizing::new([0; KEY_BYTES]);
        derive(&root, b"sealing", sealing.as_mut())?;
        let mut blinding = Zeroizing::new([0; KEY_BYTES]);
        derive(&root, b"blinding", blinding.as_mut())?;
        Ok(Self {
            id,
            sealing: RandomizedNonceKey::new(&AES_256_GCM, sealing.as_ref()).map_err(|_| CrypterError::Provider)?,
            // A derived key is uniform already, so it needs no further extraction.
            blinding: hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, blinding.as_ref()),
        })
    }

    fn blind(&self, purpose: &'static str, value: &[u8]) -> Result<[u8; 32], CrypterError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        derive(&self.blinding, purpose.as_bytes(), key.as_mut())?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), value);
        <[u8; 32]>::try_from(tag.as_ref()).map_err(|_| CrypterError::Provider)
    }
}

/// The keys at one time.
#[derive(Clone)]
struct KeyList {
    /// Never empty.
    keys: Vec<Arc<DerivedKey>>,
    /// The key that seals; one of the list.
    sealing: Arc<DerivedKey>,
}

impl KeyList {
    fn find(&self, sealed: &[u8]) -> Option<&Arc<DerivedKey>> {
        self.keys.iter().find(|key| sealed.starts_with(&header(key.id)))
    }
}

/// Seals and opens secrets, and makes keyed hashes. The keys can be replaced while others use it.
pub struct Crypter {
    list: ArcSwap<KeyList>,
}

impl fmt::Debug for Crypter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only how many keys there are: a debug line must not reveal one (I8).
        f.debug_struct("Crypter").field("keys", &self.list.load().keys.len()).finish_non_exhaustive()
    }
}

impl Crypter {
    /// From keys of 32 bytes, the sealing one first.
    pub fn from_bytes<'a>(keys: impl IntoIterator<Item = &'a [u8; 32]>) -> Result<Self, CrypterError> {
        let mut derived: Vec<Arc<DerivedKey>> = Vec::new();
        for (at, master) in keys.into_iter().enumerate() {
            let key = DerivedKey::from_master(master)?;
            // By id, because opening finds a key by its id alone.
            if derived.iter().any(|other| other.id == key.id) {
                return Err(CrypterError::DuplicateKey(at + 1));
            }
            derived.push(Arc::new(key));
        }
        let sealing = derived.first().cloned().ok_or(CrypterError::NoKey)?;
        Ok(Self { list: ArcSwap::from_pointee(KeyList { keys: derived, sealing }) })
    }

    /// The ids of the keys, in the order of the list. An id is derived from its key and reveals nothing of it.
    pub fn key_ids(&self) -> Vec<String> {
        self.list.load().keys.iter().map(|key| HEXLOWER.encode(&key.id)).collect()
    }

    /// The id of the key that seals.
    pub fn sealing_key_id(&self) -> String {
        HEXLOWER.encode(&self.list.load().sealing.id)
    }

    /// Seals under the first key of the list from now on.
    pub fn seal_under_first(&self) {
        self.list.rcu(|list| {
            let sealing = list.keys.first().unwrap_or(&list.sealing).clone();
            KeyList { keys: list.keys.clone(), sealing }
        });
    }

    /// Seals under the key that sealed a value from now on. `false` when the list does not have that key.
    pub fn seal_as(&self, sealed: &[u8]) -> bool {
        let Some(sealing) = self.list.load().find(sealed).cloned() else { return false };
        self.list.rcu(|list| KeyList { keys: list.keys.clone(), sealing: sealing.clone() });
        true
    }

    /// Whether the list has the key that sealed a value.
    pub fn has_key_of(&self, sealed: &[u8]) -> bool {
        self.list.load().find(sealed).is_some()
    }

    /// Takes over the keys of another crypter. The sealing key stays, if the new list has it.
    pub fn replace(&self, other: &Self) {
        let new = other.list.load_full();
        self.list.rcu(|old| {
            let same = new.keys.iter().find(|key| key.id == old.sealing.id);
            KeyList { keys: new.keys.clone(), sealing: same.unwrap_or(&new.sealing).clone() }
        });
    }

    /// From base64 keys of 32 bytes, the sealing one first.
    pub fn new<T: AsRef<str>>(keys: &[T]) -> Result<Self, CrypterError> {
        let mut masters: Vec<Zeroizing<[u8; KEY_BYTES]>> = Vec::with_capacity(keys.len());
        for (at, text) in keys.iter().enumerate() {
            // Wiped when dropped, also when a later key is refused.
            let bytes = BASE64.decode(text.as_ref().trim().as_bytes()).map(Zeroizing::new);
            let master = bytes.ok().and_then(|bytes| bytes.as_slice().try_into().ok());
            masters.push(Zeroizing::new(master.ok_or(CrypterError::BadKey(at + 1))?));
        }
        Self::from_bytes(masters.iter().map(|master| &**master))
    }

    /// From the text of a key file: one key a line, the sealing one first; `#` begins a comment.
    pub fn from_key_file(text: &str) -> Result<Self, CrypterError> {
        let lines: Vec<&str> = text
            .lines()
            // Base64 has no `#`, so a comment may follow a key on its line.
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|l| !l.is_empty())
            .collect();
        Self::new(&lines)
    }

    /// A new key in the form [`Self::new`] reads.
    ///
    /// Uses the provider's own generator and not the injected one: a key derived from a test's seed would be no secret.
    pub fn generate_key() -> Result<Zeroizing<String>, CrypterError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_| CrypterError::Provider)?;
        Ok(Zeroizing::new(BASE64.encode(bytes.as_ref())))
    }

    /// Seals a value for its context.
    ///
    /// The nonce comes from the provider's own generator and not the injected one: a repeated nonce breaks GCM. Random
    /// nonces are safe for 2^32 values under one key, far more than a gateway ever seals.
    pub fn seal(&self, context: SealContext<'_>, plaintext: &[u8]) -> Result<Vec<u8>, CrypterError> {
        let key = self.list.load().sealing.clone();
        let named = header(key.id);
        // With room for the tag: growing the vector would leave a copy of the plaintext in freed memory.
        let mut body = Vec::with_capacity(plaintext.len() + TAG_BYTES);
        body.extend_from_slice(plaintext);
        let nonce = key
            .sealing
            .seal_in_place_append_tag(Aad::from(context.associated_data(&named)), &mut body)
            .map_err(|_| CrypterError::Provider)?;
        let mut sealed = Vec::with_capacity(HEADER_BYTES + body.len());
        sealed.extend_from_slice(&named);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens a value that was sealed for this context.
    pub fn open(&self, context: SealContext<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CrypterError> {
        let malformed = || context.malformed();
        let (named, rest) = sealed.split_at_checked(1 + KEY_ID_BYTES).ok_or_else(malformed)?;
        let (nonce, body) = rest.split_at_checked(NONCE_BYTES).ok_or_else(malformed)?;
        if named.first() != Some(&FORMAT) || body.len() < TAG_BYTES {
            return Err(malformed());
        }
        let list = self.list.load();
        let key = list.find(named).ok_or(CrypterError::UnknownKey { table: context.table, column: context.column })?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| malformed())?;
        // A copy, because GCM decrypts in place; it is wiped when dropped, also when the tag does not match.
        let mut buffer = Zeroizing::new(body.to_vec());
        let length = key
            .sealing
            .open_in_place(nonce, Aad::from(context.associated_data(named)), &mut buffer)
            .map_err(|_| CrypterError::Refused { table: context.table, column: context.column })?
            .len();
        // Without the tag, which decryption leaves behind the plaintext.
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Whether a value was sealed under another key than the one that seals now: it should be sealed again.
    pub fn is_outdated(&self, sealed: &[u8]) -> bool {
        !sealed.starts_with(&header(self.list.load().sealing.id))
    }

    /// The keyed hash of a value that is only ever compared. Different purposes give different hashes of the same value, so
    /// that hashes of one table cannot be looked up in another.
    pub fn blind(&self, purpose: &'static str, value: &[u8]) -> Result<[u8; 32], CrypterError> {
        self.list.load().sealing.blind(purpose, value)
    }

    /// The keyed hashes of a value under every key, the sealing key's first: a search has to try all of them.
    pub fn blinds(&self, purpose: &'static str, value: &[u8]) -> Result<Vec<[u8; 32]>, CrypterError> {
        let list = self.list.load();
        let others = list.keys.iter().filter(|key| key.id != list.sealing.id);
        std::iter::once(&list.sealing).chain(others).map(|key| key.blind(purpose, value)).collect()
    }
}

fn header(id: [u8; KEY_ID_BYTES]) -> [u8; 1 + KEY_ID_BYTES] {
    let mut named = [FORMAT; 1 + KEY_ID_BYTES];
    named[1..].copy_from_slice(&id);
    named
}

#[cfg(test)]
mod tests;
