//! The environment of every room that changes something.

use super::Db;
use crate::domain::{ClockTrust, Failure, Timestamp, clock::SharedClock, rng::SharedEntropy};

/// The store, the clock and the source of randomness, injected together so that a test can choose the time and gets the same
/// identifiers in every run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Env {
    pub db: Db,
    pub clock: SharedClock,
    pub entropy: SharedEntropy,
    /// Whether the clock may be relied on; always, unless something compares it.
    pub clock_trust: ClockTrust,
}

impl Env {
    /// An environment whose clock nobody compares.
    pub fn new(db: Db, clock: SharedClock, entropy: SharedEntropy) -> Self {
        Self { db, clock, entropy, clock_trust: ClockTrust::default() }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Refuses with `clock_untrusted` while the clock is not to be relied on (I10).
    pub fn require_clock(&self) -> Result<(), Failure> {
        self.clock_trust.require(&*self.clock)
    }
}
