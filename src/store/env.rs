//! What every room that changes something works with.

use super::Db;
use crate::domain::{Timestamp, clock::SharedClock, rng::SharedEntropy};

/// The store, the time and randomness: injected together, so that a test can stand at any instant and get the same
/// identifiers in every run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Env {
    /// The store.
    pub db: Db,
    /// The time.
    pub clock: SharedClock,
    /// Randomness.
    pub entropy: SharedEntropy,
}

impl Env {
    /// Puts the three together.
    pub const fn new(db: Db, clock: SharedClock, entropy: SharedEntropy) -> Self {
        Self { db, clock, entropy }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
