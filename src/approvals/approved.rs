//! The evidence of an approval.

use data_encoding::HEXLOWER;
use serde_json::Value;

use super::{
    ApprovalError, Approvals, Proposal, ProposalState, Proposed,
    proposal::{digest_of, is_same},
};
use crate::{
    domain::{Malformed, ids::ProposalId},
    ledger::{Action, ReadEntry},
    store::{
        Approval, DbError, Env,
        proposals::{self, ProposalRow},
    },
};

/// Evidence that two different operators proposed and approved a value, and that the ledger has the approval. Used up by
/// [`Approved::begin`].
#[derive(Debug)]
pub struct Approved<T> {
    proposal: ProposalId,
    value: T,
    approval: Approval,
}

impl<T> Approved<T> {
    /// The proposal.
    pub const fn proposal(&self) -> ProposalId {
        self.proposal
    }

    /// What was approved.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// Begins the execution: what was approved, and the environment to do it in. The first change that is recorded in that environment
    /// executes the proposal, in its own transaction; it is refused if another execution was first, or the proposal has expired
    /// or was rejected meanwhile.
    pub fn begin(self, env: &Env) -> (T, Env) {
        (self.value, env.under(self.approval))
    }
}

impl Approvals {
    /// The evidence that a proposal is approved. Nothing is executed yet.
    pub async fn take(&self, id: &str) -> Result<Approved<Proposed>, ApprovalError> {
        let row = proposals::find(&self.env.db, id).await?;
        let row = row.ok_or_else(|| ApprovalError::NoSuchProposal(id.to_owned()))?;
        let proposal = Proposal::of_row(row.clone(), self.env.now())?;
        if proposal.state != ProposalState::Approved {
            return Err(ApprovalError::WrongState { id: row.id, state: proposal.state });
        }
        self.require_entry(&row).await?;
        let mut execution = [0; 16];
        self.env.entropy.fill(&mut execution);
        let id = row.id.parse().map_err(|error: Malformed| DbError::corrupt("proposals", error.0))?;
        Ok(Approved {
            proposal: id,
            value: proposal.proposed,
            approval: Approval::new(row.id, HEXLOWER.encode(&execution)),
        })
    }

    /// Requires that the ledger has the approval: of this proposal, by the operator that the row names, who is not the one that proposed
    /// it, and of exactly this act. Without it, a row that was written past the gateway would be an approval.
    async fn require_entry(&self, row: &ProposalRow) -> Result<(), ApprovalError> {
        let refused = |what| Err(ApprovalError::NotRecorded { id: row.id.clone(), what });
        let (Some(entry), Some(by)) = (&row.decision_entry, &row.decided_by) else {
            return refused("the row names no entry");
        };
        let Some(stored) = proposals::entry(&self.env.db, entry).await? else {
            return refused("its entry is missing");
        };
        // Checked against the commitments: an opening that was written past the gateway is refused.
        let read = ReadEntry::parse(&stored.entry).and_then(|entry| {
            let values = entry.open(&stored.opening)?;
            Ok((entry, values))
        });
        let Ok((entry, values)) = read else {
            return refused("its entry was changed");
        };
        let text = |name: &str| values.get(name).and_then(Value::as_str);
        let detail = |name: &str| values.get("detail").and_then(|detail| detail.get(name)).and_then(Value::as_str);
        let is_approval = entry.facts.get("action").and_then(Value::as_str) == Some(Action::ProposalApproved.as_str());
        if !is_approval || text("target") != Some(&row.id) || text("actor") != Some(by) {
            return refused("its entry is about something else");
        }
        if detail("proposed_sha256") != Some(&digest_of(&row.proposed)) {
            return refused("another act was approved");
        }
        if detail("proposed_by") != Some(&row.proposed_by) || is_same(&row.proposed_by, by) {
            return refused("one operator proposed and approved it");
        }
        Ok(())
    }
}
