//! The states of proposals, and the decisions about them.

use crate::domain::words::words;

words! {
    /// The state of a proposal.
    ProposalState: "state of a proposal" {
        /// It waits for a decision.
        Open = "open",
        /// It may be executed.
        Approved = "approved",
        /// Another operator decided against it.
        Rejected = "rejected",
        /// Its operator took it back.
        Withdrawn = "withdrawn",
        /// What it proposes was done.
        Executed = "executed",
        /// It waited too long.
        Expired = "expired",
        /// What it proposes was done without an approval.
        BrokenGlass = "broken_glass",
    }
}

words! {
    /// A decision about a proposal.
    Verdict: "verdict" {
        /// It may be executed.
        Approve = "approve",
        /// It may not.
        Reject = "reject",
    }
}
