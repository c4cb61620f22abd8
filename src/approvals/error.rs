//! Errors of proposals.

use super::ProposalState;
use crate::{
    domain::{Failure, FailureKind, Malformed, error_chain},
    ledger::LedgerError,
    store::DbError,
};

/// Why a proposal could not be made, decided or executed.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// There is no such proposal.
    #[error("there is no proposal {0}")]
    NoSuchProposal(String),
    /// Only people propose and decide.
    #[error("only an operator can propose and decide, and {0} is none")]
    NoOperator(String),
    /// The operator who proposed an act cannot approve it.
    #[error("{0} was proposed by the same operator: another one has to approve it")]
    SameOperator(String),
    /// Only the operator who proposed an act withdraws it.
    #[error("{0} was proposed by another operator: reject it instead")]
    NotYours(String),
    /// The proposal is in another state than the act needs.
    #[error("the proposal {id} is {state}")]
    WrongState { id: String, state: ProposalState },
    /// The reason is missing, too long, or has characters that cannot be seen.
    #[error("the reason: {0}")]
    Reason(#[source] Malformed),
    /// The ledger does not have the approval that the row claims.
    #[error("the ledger has no approval of {id} as it is stored: {what}")]
    NotRecorded { id: String, what: &'static str },
    #[error("the ledger")]
    Ledger(#[from] LedgerError),
    #[error("the database")]
    Store(#[from] DbError),
}

impl From<ApprovalError> for Failure {
    fn from(error: ApprovalError) -> Self {
        let text = error.to_string();
        match error {
            ApprovalError::NoSuchProposal(_) => Self::not_found("proposal_not_found", text),
            ApprovalError::NoOperator(_) | ApprovalError::SameOperator(_) | ApprovalError::NotYours(_) => {
                Self::forbidden("proposal_other_operator", text)
            }
            ApprovalError::WrongState { .. } => Self::new(FailureKind::Conflict, "proposal_wrong_state", text),
            ApprovalError::Reason(_) => Self::invalid("reason", "invalid_request", text),
            ApprovalError::NotRecorded { .. } => Self::internal(error_chain(&error)),
            ApprovalError::Ledger(error) => error.into(),
            ApprovalError::Store(error) => error.into(),
        }
    }
}
