//! Randomness as a parameter: secrets and identifiers use it, and tests seed it.

use std::{
    cell::RefCell,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroize;

/// A source of random bytes.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);
}

/// A source of randomness shared between rooms.
pub type SharedEntropy = Arc<dyn Entropy>;

/// Bytes per call of the system's generator. The cost of a call hardly depends on its length, and every response needs
/// a few dozen bytes three times.
const BUFFER_BYTES: usize = 4096;

/// Random bytes that are not used yet.
struct Buffer {
    bytes: [u8; BUFFER_BYTES],
    /// How many bytes are left, at the end of the array.
    left: usize,
}

thread_local! {
    static BUFFER: RefCell<Buffer> = const { RefCell::new(Buffer { bytes: [0; BUFFER_BYTES], left: 0 }) };
}

impl Buffer {
    /// Moves the next bytes to `out` and erases them here. Returns whether there were enough.
    fn take(&mut self, out: &mut [u8]) -> bool {
        // From the front of what is left; a request that is longer finds no range and is refused.
        let next = BUFFER_BYTES - self.left;
        let Some(bytes) = self.bytes.get_mut(next..next + out.len()) else { return false };
        out.copy_from_slice(bytes);
        // Erased when handed out: a later look at this memory shows nothing that was used for a secret or an id.
        bytes.zeroize();
        self.left -= bytes.len();
        true
    }
}

/// The operating system's generator, through the cryptographic provider. Each thread buffers bytes for short requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

/// Infallible: the provider aborts the process when the system has no entropy.
#[expect(clippy::expect_used, reason = "without randomness nothing safe can follow")]
fn fill_from_system(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).expect("the system's random generator answers");
}

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        // Long requests would empty the buffer that short ones share, for one call of the system in any case.
        if out.len() > BUFFER_BYTES / 4 {
            return fill_from_system(out);
        }
        BUFFER.with_borrow_mut(|buffer| {
            if !buffer.take(out) {
                // The rest is given up, and the buffer counts as empty until it is filled completely.
                buffer.left = 0;
                fill_from_system(&mut buffer.bytes);
                buffer.left = BUFFER_BYTES;
                buffer.take(out);
            }
        });
    }
}

/// A generator with the same bytes for the same seed. For tests and synthetic data, never for secrets.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    /// Creates a generator from a seed.
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{BUFFER, BUFFER_BYTES, Entropy, SystemEntropy};

    #[test]
    fn no_bytes_are_used_twice_and_used_bytes_are_erased() {
        let mut seen = HashSet::new();
        for length in (16..=64).cycle().take(2000).chain([BUFFER_BYTES / 4, BUFFER_BYTES / 4 + 1, 3 * BUFFER_BYTES]) {
            let mut out = vec![0; length];
            SystemEntropy.fill(&mut out);
            for eight in out.chunks_exact(8) {
                assert!(seen.insert(eight.to_vec()), "used twice");
            }
        }
        BUFFER.with_borrow(|buffer| {
            let (used, rest) = buffer.bytes.split_at(BUFFER_BYTES - buffer.left);
            assert!(used.iter().all(|byte| *byte == 0), "used bytes are still there");
            assert!(rest.iter().any(|byte| *byte != 0));
        });
    }

    #[test]
    fn the_buffer_is_used_to_its_last_byte() {
        let mut out = [0; 512];
        (0..BUFFER_BYTES / 512).for_each(|_| SystemEntropy.fill(&mut out));
        assert_eq!(BUFFER.with_borrow(|buffer| buffer.left), 0);
        assert!(out.iter().any(|byte| *byte != 0));
        SystemEntropy.fill(&mut []);
    }
}
