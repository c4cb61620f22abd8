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
    /// The approval that changes are made under; none for what needs none.
    pub approval: Option<Approval>,
}

/// A proposal that was approved and is being executed: the ledger marks it as executed in the transaction of the first change that is
/// recorded in its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    proposal: String,
    execution: String,
}

impl Approval {
    /// An execution of a proposal. For `approvals` alone, which has seen the evidence.
    pub(crate) const fn new(proposal: String, execution: String) -> Self {
        Self { proposal, execution }
    }

    /// The id of the proposal.
    pub fn proposal(&self) -> &str {
        &self.proposal
    }

    /// The random name of the execution, which its changes have in common.
    pub fn execution(&self) -> &str {
        &self.execution
    }
}

impl Env {
    /// An environment whose clock nobody compares.
    pub fn new(db: Db, clock: SharedClock, entropy: SharedEntropy) -> Self {
        Self { db, clock, entropy, clock_trust: ClockTrust::default(), approval: None }
    }

    /// The same environment for the execution of a proposal. For `approvals` alone.
    #[must_use]
    pub(crate) fn under(&self, approval: Approval) -> Self {
        Self { approval: Some(approval), ..self.clone() }
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
