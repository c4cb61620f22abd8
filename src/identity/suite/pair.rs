//! Key pairs in memory: generate, parse, sign.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use zeroize::Zeroizing;

use super::{ED25519_SPKI, P256_SPKI, PublicKey, Signer, Suite, SuiteError};

enum Private {
    Es256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A parsed key pair in memory.
pub struct KeyPair {
    public: PublicKey,
    private: Private,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

impl KeyPair {
    /// Generates a private key, as PKCS#8.
    ///
    /// It uses the provider's random generator and not the injected one, because a key from a seed would not be secret.
    pub fn generate(suite: Suite) -> Result<Zeroizing<Vec<u8>>, SuiteError> {
        let random = SystemRandom::new();
        let document = match suite {
            Suite::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
            Suite::Ed25519 => Ed25519KeyPair::generate_pkcs8v1(&random),
        }
        .map_err(|_| SuiteError::Provider)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Parses a private key from PKCS#8.
    pub fn from_pkcs8(suite: Suite, pkcs8: &[u8]) -> Result<Self, SuiteError> {
        let bad = || SuiteError::BadKey(suite);
        let (private, der) = match suite {
            Suite::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(|_| bad())?;
                let point = pair.public_key().as_ref().strip_prefix(&[4]).ok_or_else(bad)?;
                let der = [&P256_SPKI, point].concat();
                (Private::Es256(pair), der)
            }
            Suite::Ed25519 => {
                // Accepts version 1 of PKCS#8 too, which has no public key to compare with.
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| bad())?;
                let der = [&ED25519_SPKI, pair.public_key().as_ref()].concat();
                (Private::Ed25519(pair), der)
            }
        };
        Ok(Self { public: PublicKey::from_der(suite, &der)?, private })
    }
}

impl Signer for KeyPair {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SuiteError> {
        match &self.private {
            // ECDSA needs fresh randomness for every signature: a repeated nonce gives the private key away.
            Private::Es256(pair) => pair.sign(&SystemRandom::new(), message),
            Private::Ed25519(pair) => pair.try_sign(message),
        }
        .map(|signature| signature.as_ref().to_vec())
        .map_err(|_| SuiteError::Provider)
    }
}
