//! Approvals: acts that one operator proposes, another decides, and then one executes (四眼原则).
//!
//! Invariants: only this room makes an [`Approved`], from a proposal that two different operators made and approved, and whose approval
//! is a committed entry of the ledger that names exactly what is to be done; a proposal is executed in the transaction of what it allows,
//! so that a crash leaves either both or neither, and once; an expired one is neither decided nor executed. Stopping is one person's act:
//! whatever waits is rejected by any operator alone. Each step is one ledger entry. This room does not know what the acts do.

mod approved;
mod error;
mod proposal;
mod proposed;
mod state;

use std::time::Duration;

pub use approved::Approved;
pub use error::ApprovalError;
pub use proposal::{NewProposal, Proposal};
pub use proposed::Proposed;
pub use state::{ProposalState, Verdict};

use crate::store::{Env, proposals::ProposalCounts};

/// The entry point of the room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Approvals {
    env: Env,
    expiry: Duration,
}

impl Approvals {
    /// Opens the room; proposals wait so long at most.
    pub const fn open(env: Env, expiry: Duration) -> Self {
        Self { env, expiry }
    }

    /// How many proposals wait, and how many acts were done without one in a time until now.
    pub async fn counts(&self, within: Duration) -> Result<ProposalCounts, ApprovalError> {
        let now = self.env.now();
        Ok(crate::store::proposals::counts(&self.env.db, now, now.minus(within)).await?)
    }
}
