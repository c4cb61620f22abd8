//! Password hashes: argon2id with the parameters that OWASP recommends, as PHC strings. A stored hash names its own parameters, so
//! that others can follow.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::BASE64_NOPAD;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::PrincipalsError;
use crate::domain::Entropy;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// How many hashes are computed at a time: each takes its memory and a processor for some twenty milliseconds, and answers of
/// banks have to be signed meanwhile.
const PARALLEL: usize = 2;

/// The parameters of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
const COST: Cost = Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

/// A hash with its salt and parameters, `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
struct StoredHash {
    cost: Cost,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl StoredHash {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("$argon2id$v=19$")?.split('$');
        let mut numbers = parts.next()?.split(',');
        let mut number = |name: &str| numbers.next()?.strip_prefix(name)?.parse().ok();
        let cost = Cost { memory_kib: number("m=")?, passes: number("t=")?, lanes: number("p=")? };
        let mut bytes = || BASE64_NOPAD.decode(parts.next()?.as_bytes()).ok();
        Some(Self { cost, salt: bytes()?, output: bytes()? })
    }

    fn text(&self) -> String {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let (salt, hash) = (BASE64_NOPAD.encode(&self.salt), BASE64_NOPAD.encode(&self.output));
        format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
    }
}

fn argon2id(password: &[u8], salt: &[u8], cost: Cost, length: usize) -> Result<Vec<u8>, argon2::Error> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(length))?;
    let mut hash = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(password, salt, &mut hash)?;
    Ok(hash)
}

/// Hashes passwords, a few at a time, on threads for blocking work.
#[derive(Debug, Clone)]
pub(super) struct Hasher(Arc<Semaphore>);

impl Hasher {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(PARALLEL)))
    }

    /// The hash of a new password, as it is stored.
    pub(super) async fn hash(&self, password: &str, entropy: &dyn Entropy) -> Result<String, PrincipalsError> {
        let mut salt = vec![0; SALT_BYTES];
        entropy.fill(&mut salt);
        let output = self.compute(password, salt.clone(), COST, HASH_BYTES).await?;
        Ok(StoredHash { cost: COST, salt, output }.text())
    }

    /// Whether a password is the one of a stored hash. Without a hash the answer is no, after the same time.
    pub(super) async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, PrincipalsError> {
        let expected = stored
            .map(|text| StoredHash::parse(text).ok_or(PrincipalsError::Hash("it is no PHC string")))
            .transpose()?;
        let exists = expected.is_some();
        let expected = expected.unwrap_or_else(|| StoredHash {
            cost: COST,
            salt: vec![0; SALT_BYTES],
            output: vec![0; HASH_BYTES],
        });
        let found = self.compute(password, expected.salt, expected.cost, expected.output.len()).await?;
        Ok(exists && verify_slices_are_equal(&found, &expected.output).is_ok())
    }

    async fn compute(
        &self,
        password: &str,
        salt: Vec<u8>,
        cost: Cost,
        length: usize,
    ) -> Result<Vec<u8>, PrincipalsError> {
        // Taken before the thread is, so that waiting callers take none.
        let permit = self.0.clone().acquire_owned().await.map_err(|_| PrincipalsError::Hash("the gateway stops"))?;
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let computed = tokio::task::spawn_blocking(move || {
            let hash = argon2id(&password, &salt, cost, length);
            // Here and not in the caller: a request that was given up still computes.
            drop(permit);
            hash
        });
        let hash = computed.await.map_err(|_| PrincipalsError::Hash("its thread was stopped"))?;
        hash.map_err(|_| PrincipalsError::Hash("its parameters are out of range"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SeededEntropy;

    /// RFC 9106 section 5.3 has a secret and associated data, which are not used here; this is the vector of the reference
    /// implementation's test for m=256, t=2, p=1 with neither.
    #[test]
    fn the_hash_is_that_of_the_reference_implementation() {
        let cost = Cost { memory_kib: 256, passes: 2, lanes: 1 };
        let hash = argon2id(b"password", b"somesalt", cost, 32).unwrap();
        assert_eq!(
            data_encoding::HEXLOWER.encode(&hash),
            "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"
        );
    }

    #[tokio::test]
    async fn only_the_password_of_a_hash_is_verified() {
        let (hasher, entropy) = (Hasher::new(), SeededEntropy::new(1));
        let stored = hasher.hash("correct horse battery", &*entropy).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(hasher.verify("correct horse battery", Some(&stored)).await.unwrap());
        assert!(!hasher.verify("correct horse batterz", Some(&stored)).await.unwrap());
        assert!(!hasher.verify("", Some(&stored)).await.unwrap());
        assert!(!hasher.verify("correct horse battery", None).await.unwrap());
        assert_ne!(
            hasher.hash("correct horse battery", &*entropy).await.unwrap(),
            stored,
            "each hash has its own salt"
        );
        assert!(hasher.verify("a", Some("plain")).await.is_err());
    }
}
