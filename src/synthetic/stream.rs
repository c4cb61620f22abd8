//! Streams of random integers, each for one purpose and subject.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// Random numbers that depend only on a seed and some words.
#[derive(Debug)]
pub(in crate::synthetic) struct Stream(ChaCha12Rng);

impl Stream {
    /// The stream of a seed and some words.
    pub(in crate::synthetic) fn of(seed: u64, words: &[&str]) -> Self {
        Self(ChaCha12Rng::from_seed(digest(seed, words)))
    }

    /// A number from `low` to `high`, both included. The bias of the remainder is negligible here, and the arithmetic
    /// is the same on every machine.
    pub(in crate::synthetic) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low)).unwrap_or(0).saturating_add(1);
        // The bias of a remainder is far too small to show: spans are tiny beside 2^64.
        low.saturating_add(i64::try_from(self.0.next_u64() % span).unwrap_or(0))
    }

    /// True with a probability in ten-thousandths.
    pub(in crate::synthetic) fn happens(&mut self, chances: i64) -> bool {
        self.between(0, 9_999) < chances
    }
}

/// A sort key for shuffling. The order does not depend on how subjects are listed.
pub(in crate::synthetic) fn shuffle_key(seed: u64, words: &[&str]) -> [u8; 32] {
    digest(seed, words)
}

fn digest(seed: u64, words: &[&str]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(&seed.to_be_bytes());
    for word in words {
        // The length distinguishes "ab","c" from "a","bc".
        context.update(&u64::try_from(word.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(word.as_bytes());
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
