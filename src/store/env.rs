//! The environment of every room that changes something.

use super::Db;
use crate::domain::{Timestamp, clock::SharedClock, rng::SharedEntropy};

/// The store, the clock and the source of randomness, injected together so that a test can choose the time and gets the same
/// identifiers in every run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Env {
    pub db: Db,
    pub clock: SharedClock,
    pub entropy: SharedEntropy,
}

impl Env {
    /// An environment of the three.
    pub const fn new(db: Db, clock: SharedClock, entropy: SharedEntropy) -> Self {
        Self { db, clock, entropy }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
