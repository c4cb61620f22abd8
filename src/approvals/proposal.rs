//! Proposals: made, decided, withdrawn, and acts that are done without one.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::json;

use super::{ApprovalError, Approvals, ProposalState, Proposed, Verdict};
use crate::{
    domain::{
        Actor, Malformed, Principal, Timestamp,
        ids::{EntryId, ProposalId},
        names::comparable,
        printable::{LONGEST_REASON, check_text},
    },
    ledger::{self, Action, Change},
    store::{
        DbError, Tx,
        proposals::{self, ProposalRow},
    },
};

/// A request to propose an act.
#[derive(Debug, Clone, Copy)]
pub struct NewProposal<'a> {
    pub actor: &'a Actor,
    pub proposed: &'a Proposed,
    /// Why, for the operator who decides and for the ledger.
    pub reason: &'a str,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposal {
    pub id: String,
    pub proposed: Proposed,
    pub reason: String,
    pub state: ProposalState,
    pub proposed_at: Timestamp,
    /// `operator:NAME`.
    pub proposed_by: String,
    pub expires_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<String>,
    /// The reason of the decision.
    pub decision: Option<String>,
    pub executed_at: Option<Timestamp>,
    pub executed_by: Option<String>,
    /// The ledger entry of the step that returned this value; none where it was only read.
    #[serde(skip)]
    pub entry: Option<EntryId>,
}

impl Proposal {
    /// Whether it was proposed by a party, who does not approve it.
    pub fn is_by(&self, actor: &Actor) -> bool {
        is_same(&self.proposed_by, &actor.to_string())
    }

    pub(super) fn of_row(row: ProposalRow, now: Timestamp) -> Result<Self, DbError> {
        let corrupt = |error: Malformed| DbError::corrupt("proposals", error.0);
        let stored: ProposalState = row.state.parse().map_err(corrupt)?;
        let waits = matches!(stored, ProposalState::Open | ProposalState::Approved);
        let expires_at = Timestamp::from_micros(row.expires_at);
        Ok(Self {
            proposed: serde_json::from_str(&row.proposed)
                .map_err(|error| DbError::corrupt("proposals", error.to_string()))?,
            // Judged when it is read: no sweeper decides.
            state: if waits && expires_at <= now { ProposalState::Expired } else { stored },
            id: row.id,
            reason: row.reason,
            proposed_at: Timestamp::from_micros(row.proposed_at),
            proposed_by: row.proposed_by,
            expires_at,
            decided_at: row.decided_at.map(Timestamp::from_micros),
            decided_by: row.decided_by,
            decision: row.decision,
            executed_at: row.executed_at.map(Timestamp::from_micros),
            executed_by: row.executed_by,
            entry: None,
        })
    }
}

/// The digest of an act, by which entries name exactly what was proposed and approved.
pub(super) fn digest_of(proposed: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, proposed.as_bytes()).as_ref())
}

/// Whether two parties, as entries have them, are one person: names are compared as people write them.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    comparable(one).to_lowercase() == comparable(other).to_lowercase()
}

fn check_operator(actor: &Actor) -> Result<(), ApprovalError> {
    match actor.principal() {
        Principal::Operator(_) => Ok(()),
        _ => Err(ApprovalError::NoOperator(actor.to_string())),
    }
}

fn check_reason(reason: &str) -> Result<(), ApprovalError> {
    check_text(reason, LONGEST_REASON).map_err(ApprovalError::Reason)
}

impl Approvals {
    /// Proposes an act: it waits for another operator.
    pub async fn propose(&self, new: NewProposal<'_>) -> Result<Proposal, ApprovalError> {
        self.insert(new, ProposalState::Open, Action::ProposalMade).await
    }

    /// Records that an act is done without an approval, before it is done. Somebody is alarmed.
    pub async fn break_glass(&self, new: NewProposal<'_>) -> Result<Proposal, ApprovalError> {
        let made = self.insert(new, ProposalState::BrokenGlass, Action::BreakGlass).await?;
        tracing::error!(
            proposal.id = %made.id,
            operation = new.proposed.act(),
            "an act that needs two operators is done by one (break glass): look at it now"
        );
        Ok(made)
    }

    async fn insert(
        &self,
        new: NewProposal<'_>,
        state: ProposalState,
        action: Action,
    ) -> Result<Proposal, ApprovalError> {
        check_operator(new.actor)?;
        check_reason(new.reason)?;
        let (now, by) = (self.env.now(), new.actor.to_string());
        // A closed enum of texts always serializes.
        let proposed =
            serde_json::to_string(new.proposed).map_err(|error| DbError::corrupt("proposals", error.to_string()))?;
        let done = state == ProposalState::BrokenGlass;
        let row = ProposalRow {
            id: ProposalId::new(&*self.env.clock, &*self.env.entropy).to_string(),
            act: new.proposed.act().to_owned(),
            target: new.proposed.target().to_owned(),
            reason: new.reason.to_owned(),
            state: state.to_string(),
            proposed_at: now.micros(),
            proposed_by: by.clone(),
            expires_at: now.plus(self.expiry).micros(),
            decided_at: None,
            decided_by: None,
            decision: None,
            decision_entry: None,
            executed_at: done.then_some(now.micros()),
            executed_by: done.then_some(by),
            proposed,
        };
        let mut tx = self.env.db.begin("approvals::propose").await?;
        proposals::insert(&mut tx, &row).await?;
        let detail = json!({
            "act": row.act,
            "target": row.target,
            "proposed_sha256": digest_of(&row.proposed),
            "difference": new.proposed.difference(),
        });
        let change = Change::of(detail).because(Some(new.reason));
        let entry = ledger::audit(&mut tx, &self.env, new.actor, action, Some(&row.id), change).await?;
        tx.commit().await?;
        Ok(Proposal { entry: Some(entry), ..Proposal::of_row(row, now)? })
    }

    /// Decides a proposal. Another operator approves; any operator rejects, also what was approved and is not executed.
    pub async fn decide(
        &self,
        id: &str,
        actor: &Actor,
        verdict: Verdict,
        reason: Option<&str>,
    ) -> Result<Proposal, ApprovalError> {
        check_operator(actor)?;
        reason.map_or(Ok(()), check_reason)?;
        let mut tx = self.env.db.begin("approvals::decide").await?;
        let row = self.waiting(&mut tx, id, verdict == Verdict::Reject).await?;
        let by = actor.to_string();
        if verdict == Verdict::Approve && is_same(&row.proposed_by, &by) {
            return Err(ApprovalError::SameOperator(row.id));
        }
        let (state, action) = match verdict {
            Verdict::Approve => (ProposalState::Approved, Action::ProposalApproved),
            Verdict::Reject => (ProposalState::Rejected, Action::ProposalRejected),
        };
        self.close(tx, row, actor, (state, action), reason).await
    }

    /// Takes a proposal of the actor's own back.
    pub async fn withdraw(&self, id: &str, actor: &Actor, reason: Option<&str>) -> Result<Proposal, ApprovalError> {
        reason.map_or(Ok(()), check_reason)?;
        let mut tx = self.env.db.begin("approvals::withdraw").await?;
        let row = self.waiting(&mut tx, id, true).await?;
        if !is_same(&row.proposed_by, &actor.to_string()) {
            return Err(ApprovalError::NotYours(row.id));
        }
        self.close(tx, row, actor, (ProposalState::Withdrawn, Action::ProposalWithdrawn), reason).await
    }

    /// Locks a proposal that is open, or also one that is approved: of two deciders the second finds it decided.
    async fn waiting(&self, tx: &mut Tx, id: &str, also_approved: bool) -> Result<ProposalRow, ApprovalError> {
        let row = proposals::lock(tx, id).await?.ok_or_else(|| ApprovalError::NoSuchProposal(id.to_owned()))?;
        let state = Proposal::of_row(row.clone(), self.env.now())?.state;
        match state {
            ProposalState::Open => Ok(row),
            ProposalState::Approved if also_approved => Ok(row),
            state => Err(ApprovalError::WrongState { id: row.id, state }),
        }
    }

    async fn close(
        &self,
        mut tx: Tx,
        mut row: ProposalRow,
        actor: &Actor,
        (state, action): (ProposalState, Action),
        reason: Option<&str>,
    ) -> Result<Proposal, ApprovalError> {
        let (now, by) = (self.env.now(), actor.to_string());
        let detail = json!({
            "act": row.act,
            "target": row.target,
            "proposed_sha256": digest_of(&row.proposed),
            "proposed_by": row.proposed_by,
        });
        let change = Change::of(detail).because(reason);
        let entry = ledger::audit(&mut tx, &self.env, actor, action, Some(&row.id), change).await?;
        proposals::decide(&mut tx, &row.id, state.as_str(), (now, &by, reason), Some(&entry.to_string())).await?;
        tx.commit().await?;
        row.state = state.to_string();
        (row.decided_at, row.decided_by) = (Some(now.micros()), Some(by));
        row.decision = reason.map(str::to_owned);
        Ok(Proposal { entry: Some(entry), ..Proposal::of_row(row, now)? })
    }

    /// The proposals that wait, oldest first; or all there ever were, latest first.
    pub async fn list(&self, all: bool) -> Result<Vec<Proposal>, ApprovalError> {
        let now = self.env.now();
        let rows =
            if all { proposals::list(&self.env.db).await? } else { proposals::list_waiting(&self.env.db, now).await? };
        Ok(rows.into_iter().map(|row| Proposal::of_row(row, now)).collect::<Result<_, _>>()?)
    }

    /// A proposal by its id.
    pub async fn show(&self, id: &str) -> Result<Proposal, ApprovalError> {
        let row = proposals::find(&self.env.db, id).await?;
        let row = row.ok_or_else(|| ApprovalError::NoSuchProposal(id.to_owned()))?;
        Ok(Proposal::of_row(row, self.env.now())?)
    }
}
