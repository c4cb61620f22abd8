//! Randomness as a parameter: secrets and identifiers come from here, so that a test can seed them.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

/// A source of random bytes.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);
}

/// The source rooms hold and hand on.
pub type SharedEntropy = Arc<dyn Entropy>;

/// The operating system's generator, by way of the cryptographic provider.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::expect_used, reason = "without randomness nothing safe can follow")]
    fn fill(&self, out: &mut [u8]) {
        // Infallible: the provider's generator aborts the process itself when the system gives it no entropy.
        aws_lc_rs::rand::fill(out).expect("the system's random generator answers");
    }
}

/// A generator that yields the same bytes for the same seed. For tests and synthetic data, never for secrets.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    /// A generator that starts at `seed`.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed))))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        let mut rng = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        rng.fill_bytes(out);
    }
}
