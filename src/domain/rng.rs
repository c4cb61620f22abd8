//! Randomness as a parameter: secrets and identifiers come from here, so that a test can seed them.

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

/// The source rooms hold and hand on.
pub type SharedEntropy = Arc<dyn Entropy>;

/// How much is drawn at once: what a draw costs hardly depends on its length, and every answer needs a few dozen bytes three
/// times.
const STORE: usize = 4096;

/// Random bytes that were drawn and not handed out yet.
struct Drawn {
    bytes: [u8; STORE],
    /// How many of them are left, at the end.
    left: usize,
}

thread_local! {
    static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; STORE], left: 0 }) };
}

impl Drawn {
    /// Hands out the next bytes and keeps nothing of them. Tells whether there were as many.
    fn hand_out(&mut self, out: &mut [u8]) -> bool {
        let next = STORE - self.left;
        let Some(bytes) = self.bytes.get_mut(next..next + out.len()) else { return false };
        out.copy_from_slice(bytes);
        bytes.zeroize();
        self.left -= bytes.len();
        true
    }
}

/// The operating system's generator, by way of the cryptographic provider. Each thread draws ahead for short requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

/// Infallible: the provider's generator aborts the process itself when the system gives it no entropy.
#[expect(clippy::expect_used, reason = "without randomness nothing safe can follow")]
fn draw(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).expect("the system's random generator answers");
}

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        if out.len() > STORE / 4 {
            return draw(out);
        }
        DRAWN.with_borrow_mut(|drawn| {
            if !drawn.hand_out(out) {
                drawn.left = 0;
                draw(&mut drawn.bytes);
                drawn.left = STORE;
                drawn.hand_out(out);
            }
        });
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{DRAWN, Entropy, STORE, SystemEntropy};

    #[test]
    fn no_bytes_are_handed_out_twice_and_none_are_kept() {
        let mut seen = HashSet::new();
        for length in (16..=64).cycle().take(2000).chain([STORE / 4, STORE / 4 + 1, 3 * STORE]) {
            let mut out = vec![0; length];
            SystemEntropy.fill(&mut out);
            for eight in out.chunks_exact(8) {
                assert!(seen.insert(eight.to_vec()), "drawn twice");
            }
        }
        DRAWN.with_borrow(|drawn| {
            let (handed_out, rest) = drawn.bytes.split_at(STORE - drawn.left);
            assert!(handed_out.iter().all(|byte| *byte == 0), "what was handed out is still there");
            assert!(rest.iter().any(|byte| *byte != 0));
        });
    }

    #[test]
    fn the_last_bytes_drawn_are_handed_out_too() {
        let mut out = [0; 512];
        (0..STORE / 512).for_each(|_| SystemEntropy.fill(&mut out));
        assert_eq!(DRAWN.with_borrow(|drawn| drawn.left), 0);
        assert!(out.iter().any(|byte| *byte != 0));
        SystemEntropy.fill(&mut []);
    }
}
