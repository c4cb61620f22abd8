//! Signature suites: the algorithms by name, parsed keys, JSON Web Keys.
//!
//! No other code knows an algorithm, so that another suite (SM2 with SM3, a post-quantum one) is added only in this
//! folder. A key belongs to exactly one suite (RFC 8725 section 3.1): a verifier never takes the algorithm from the
//! message.

mod jwk;
mod pair;

use std::{fmt, sync::Arc};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use data_encoding::BASE64URL_NOPAD;

use crate::domain::words::words;

pub use jwk::Jwk;
pub use pair::KeyPair;

/// The beginning of a SubjectPublicKeyInfo of an uncompressed P-256 point, up to and including the point's 0x04.
const P256_SPKI: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
/// The beginning of a SubjectPublicKeyInfo of an Ed25519 key (RFC 8410), up to the key.
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

words! {
    /// A signature algorithm with its curve, digest and signature format. The words are the names in JOSE headers and
    /// JSON Web Keys (RFC 9864 for Ed25519), and in the store.
    Suite: "signature suite" {
        /// ECDSA on P-256 with SHA-256, signatures of 64 bytes, r then s (RFC 7518 section 3.4).
        Es256 = "ES256",
        /// Ed25519 (RFC 8032), signatures of 64 bytes.
        Ed25519 = "Ed25519",
    }
}

impl Suite {
    /// The name in RFC 9421's registry of HTTP signature algorithms.
    pub const fn http_name(self) -> &'static str {
        match self {
            Self::Es256 => "ecdsa-p256-sha256",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// Why a key or a signature was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SuiteError {
    /// The bytes are not a key of the suite.
    #[error("this is not a {0} key")]
    BadKey(Suite),
    /// The JSON Web Key is not a public key of a known suite.
    #[error("this JSON Web Key is not a public signature key of a known suite: {0}")]
    BadJwk(&'static str),
    /// The signature is not one of the message by the key.
    #[error("the signature does not verify")]
    BadSignature,
    /// The cryptographic provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
}

/// A private key that signs. The key never leaves the signer, so that it may also be in a hardware module.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public key that verifies the signatures.
    fn public_key(&self) -> &PublicKey;

    /// Signs a message.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SuiteError>;

    /// The key id in headers and key sets: the RFC 7638 thumbprint.
    fn key_id(&self) -> &str {
        self.public_key().key_id()
    }

    /// The suite of the signatures.
    fn suite(&self) -> Suite {
        self.public_key().suite()
    }

    /// The public key as SubjectPublicKeyInfo, DER.
    fn public_key_der(&self) -> &[u8] {
        self.public_key().der()
    }
}

/// A signer shared between rooms.
pub type SharedSigner = Arc<dyn Signer>;

/// Verifies signatures. Separate from [`PublicKey`], so that the keys of another suite can be implemented elsewhere.
pub trait Verifier: fmt::Debug + Send + Sync {
    /// Verifies a signature of a message.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SuiteError>;
}

/// A parsed public key of a suite.
#[derive(Clone)]
pub struct PublicKey {
    suite: Suite,
    der: Vec<u8>,
    key_id: String,
    parsed: ParsedPublicKey,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("suite", &self.suite).field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.suite == other.suite && self.der == other.der
    }
}

impl Eq for PublicKey {}

impl PublicKey {
    /// Parses a SubjectPublicKeyInfo, DER. Only the canonical encoding of the suite is accepted.
    pub fn from_der(suite: Suite, der: &[u8]) -> Result<Self, SuiteError> {
        let bad = || SuiteError::BadKey(suite);
        let (prefix, length): (&[u8], usize) = match suite {
            Suite::Es256 => (&P256_SPKI, 64),
            Suite::Ed25519 => (&ED25519_SPKI, 32),
        };
        let raw = der.strip_prefix(prefix).filter(|raw| raw.len() == length).ok_or_else(bad)?;
        let parsed = match suite {
            // The provider checks that the point is on the curve; its input includes the 0x04.
            Suite::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der.get(prefix.len() - 1..).unwrap_or(raw)),
            Suite::Ed25519 => ParsedPublicKey::new(&ED25519, raw),
        }
        .map_err(|_| bad())?;
        // The id is computed from the parsed key, never taken from the sender, so that two keys cannot share it.
        let mut key = Self { suite, der: der.to_vec(), key_id: String::new(), parsed };
        key.key_id = key.jwk().thumbprint();
        Ok(key)
    }

    /// Parses a SubjectPublicKeyInfo of any suite.
    pub fn from_any_der(der: &[u8]) -> Result<Self, SuiteError> {
        Self::from_der(Suite::Es256, der).or_else(|_| Self::from_der(Suite::Ed25519, der))
    }

    /// The suite of the key.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// SubjectPublicKeyInfo, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The coordinates or bytes of the key without encoding: 64 bytes (x, y) or 32.
    pub fn raw(&self) -> &[u8] {
        let prefix = match self.suite {
            Suite::Es256 => P256_SPKI.len(),
            Suite::Ed25519 => ED25519_SPKI.len(),
        };
        // `from_der` checked prefix and length, so this is never empty.
        self.der.get(prefix..).unwrap_or_default()
    }

    /// The key id: the RFC 7638 thumbprint.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The key as a JSON Web Key.
    pub fn jwk(&self) -> Jwk {
        let (x, y) = match self.suite {
            Suite::Es256 => {
                let (x, y) = self.raw().split_at(self.raw().len() / 2);
                (x, Some(BASE64URL_NOPAD.encode(y)))
            }
            Suite::Ed25519 => (self.raw(), None),
        };
        let (kty, crv) = match self.suite {
            Suite::Es256 => ("EC", "P-256"),
            Suite::Ed25519 => ("OKP", "Ed25519"),
        };
        Jwk {
            kty: kty.into(),
            crv: Some(crv.into()),
            x: Some(BASE64URL_NOPAD.encode(x)),
            y,
            kid: Some(self.key_id.clone()),
            alg: Some(self.suite.as_str().into()),
            usage: Some("sig".into()),
            purpose: None,
        }
    }
}

impl Verifier for PublicKey {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SuiteError> {
        self.parsed.verify_sig(message, signature).map_err(|_| SuiteError::BadSignature)
    }
}

/// Encodes a signature as X.509 requires: for ECDSA the DER of r and s (RFC 3279 section 2.2.3).
pub fn x509_signature(suite: Suite, signature: &[u8]) -> Vec<u8> {
    match suite {
        Suite::Ed25519 => signature.to_vec(),
        Suite::Es256 => {
            let (r, s) = signature.split_at(signature.len() / 2);
            let numbers = [der_integer(r), der_integer(s)].concat();
            // Two numbers of at most 32 bytes: the length is below 128 and takes one byte.
            [&[0x30, u8::try_from(numbers.len()).unwrap_or_default()], numbers.as_slice()].concat()
        }
    }
}

fn der_integer(number: &[u8]) -> Vec<u8> {
    // DER: the shortest form, but at least one octet, for zero.
    let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len().saturating_sub(1));
    let digits = number.get(first..).unwrap_or_default();
    // A first bit that is set would make the number negative.
    let sign: &[u8] = if digits.first().is_some_and(|byte| *byte >= 0x80) { &[0] } else { &[] };
    [&[0x02, u8::try_from(sign.len() + digits.len()).unwrap_or_default()], sign, digits].concat()
}

/// Verifies a signature with a key that is used only once.
pub fn verify(suite: Suite, public_key_der: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SuiteError> {
    PublicKey::from_der(suite, public_key_der)?.verify(message, signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(suite: Suite) -> KeyPair {
        KeyPair::from_pkcs8(suite, &KeyPair::generate(suite).unwrap()).unwrap()
    }

    #[test]
    fn a_signature_verifies_with_its_key_and_no_other() {
        for suite in [Suite::Es256, Suite::Ed25519] {
            let (ours, other) = (pair(suite), pair(suite));
            let signature = ours.sign(b"message").unwrap();
            assert_eq!(signature.len(), 64, "{suite} signatures have a fixed length");
            verify(suite, ours.public_key_der(), b"message", &signature).unwrap();
            assert!(ours.public_key().verify(b"massage", &signature).is_err());
            assert!(ours.public_key().verify(b"message", &signature[..63]).is_err());
            assert!(other.public_key().verify(b"message", &signature).is_err());
        }
    }

    #[test]
    fn a_key_belongs_to_one_suite() {
        let (es256, ed25519) = (pair(Suite::Es256), pair(Suite::Ed25519));
        assert_eq!(
            PublicKey::from_der(Suite::Ed25519, es256.public_key_der()).unwrap_err(),
            SuiteError::BadKey(Suite::Ed25519)
        );
        assert_eq!(
            PublicKey::from_der(Suite::Es256, ed25519.public_key_der()).unwrap_err(),
            SuiteError::BadKey(Suite::Es256)
        );
        for key in [&es256, &ed25519] {
            assert_eq!(PublicKey::from_any_der(key.public_key_der()).unwrap(), *key.public_key());
        }
        assert!(KeyPair::from_pkcs8(Suite::Ed25519, &KeyPair::generate(Suite::Es256).unwrap()).is_err());
    }

    #[test]
    fn a_point_that_is_not_on_the_curve_is_refused() {
        let der = [P256_SPKI.as_slice(), &[7; 64]].concat();
        assert_eq!(PublicKey::from_der(Suite::Es256, &der).unwrap_err(), SuiteError::BadKey(Suite::Es256));
    }

    #[test]
    fn an_x509_signature_is_minimal_der() {
        let mut signature = [0; 64];
        signature[31] = 0x7f;
        signature[32] = 0x80;
        let der = x509_signature(Suite::Es256, &signature);
        assert_eq!(der[..7], [0x30, 0x26, 0x02, 0x01, 0x7f, 0x02, 0x21]);
        assert_eq!(der[7..9], [0x00, 0x80]);
        assert_eq!(der.len(), 2 + 0x26);
        assert_eq!(x509_signature(Suite::Es256, &[0; 64]), [0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00]);
    }

    #[test]
    fn debug_shows_no_private_key() {
        let pkcs8 = KeyPair::generate(Suite::Ed25519).unwrap();
        let shown = format!("{:?}", KeyPair::from_pkcs8(Suite::Ed25519, &pkcs8).unwrap());
        assert!(shown.contains("key_id"));
        assert!(!shown.contains("private"));
    }
}
