//! Changes that an approval allows: the proposal is executed in the transaction of its change, so that it is executed exactly when the
//! change is made, and once.

use super::error::LedgerError;
use crate::{
    domain::Actor,
    store::{
        Approval, Env, Tx,
        proposals::{self, Execution},
    },
};

/// Marks the proposal of a change as executed. Returns whether this is the first change of the execution.
pub(super) async fn execute(tx: &mut Tx, env: &Env, approval: &Approval, actor: &Actor) -> Result<bool, LedgerError> {
    let done = proposals::execute(tx, approval.proposal(), approval.execution(), env.now(), &actor.to_string()).await?;
    match done {
        Execution::First => Ok(true),
        Execution::Further => Ok(false),
        // The caller's transaction is given up with this: nothing is changed.
        Execution::Refused => Err(LedgerError::NotApproved(approval.proposal().to_owned())),
    }
}
