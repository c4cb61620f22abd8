//! Where a test may break a disclosure, from its caller to its place in the tree. In production nothing is attached and
//! nothing is asked.
//!
//! The steps are those of docs/DISCLOSURE-CYCLE.md, whichever room takes them: this is the lowest of those rooms.

use std::{fmt, pin::Pin, sync::Arc};

use crate::store::DbError;

/// A place between two effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Before certificate and token are looked at.
    Caller,
    /// Before the request is counted.
    Limits,
    /// Before the consent is looked at.
    Permit,
    /// Before grades or settlements are read.
    Read,
    /// Before the bytes are fixed, digested and signed.
    Render,
    /// Signed, and before the answer joins those that wait for a batch.
    Append,
    /// Before a batch begins its transaction.
    Begin,
    /// Before the banks' locks are taken.
    Lock,
    /// Before heads are compared.
    ReadVersions,
    /// Before budgets are charged.
    Budget,
    /// Before entries are inserted.
    Insert,
    /// Before the commit is sent.
    Commit,
    /// After the commit, before anybody is told.
    Committed,
    /// The record is durable, and before its answer is released.
    Release,
    /// Before a sealer reads what waits.
    SealRead,
    /// Before a sealer extends the tree and signs it.
    SealSign,
    /// Before a sealer inserts leaves, tiles and checkpoint.
    SealInsert,
    /// Before a sealer commits.
    SealCommit,
    /// After a sealer committed, before the checkpoint goes outside.
    SealCommitted,
    /// After the new checkpoint is in a file of its own, before it takes the place of the old one.
    OutsideRename,
    /// After it took that place, before the directory is synced.
    OutsideSync,
}

/// What a test does at a step: fail it, or never return as a killed process would not.
type Interruption = dyn Fn(Step) -> Pin<Box<dyn Future<Output = Result<(), DbError>> + Send>> + Send + Sync;

/// Nothing, or what a test does at each step.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<Interruption>>);

impl Faults {
    /// Asks `at` at every step.
    pub fn new<F>(at: impl Fn(Step) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), DbError>> + Send + 'static,
    {
        Self(Some(Arc::new(move |step| Box::pin(at(step)))))
    }

    /// Asks the test, if there is one.
    pub async fn at(&self, step: Step) -> Result<(), DbError> {
        match &self.0 {
            None => Ok(()),
            Some(interruption) => interruption(step).await,
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Faults(attached)" } else { "Faults(none)" })
    }
}
