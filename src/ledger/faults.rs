//! Fault injection: the steps at which a test may interrupt a disclosure, from the caller's check to the sealed tree. In
//! production no interruption is attached.
//!
//! The steps are those of docs/DISCLOSURE-CYCLE.md. Several rooms take them; this is the lowest of those rooms.

use std::{fmt, pin::Pin, sync::Arc};

use crate::store::DbError;

/// A point between two effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Before certificate and token are checked.
    Caller,
    /// Before the request is counted.
    Limits,
    /// Before the consent is checked.
    Permit,
    /// Before grades or settlements are read.
    Read,
    /// Before the bytes are rendered, digested and signed.
    Render,
    /// After the signature, before the answer is queued for a batch.
    Append,
    /// Before a batch begins its transaction.
    Begin,
    /// Before the banks' locks are taken.
    Lock,
    /// Before versions are compared.
    ReadVersions,
    /// Before budgets are charged.
    Budget,
    /// Before entries are inserted.
    Insert,
    /// Before the commit is sent.
    Commit,
    /// After the commit, before any caller gets a reply.
    Committed,
    /// After the record is durable, before its answer is released.
    Release,
    /// Before a sealer reads the queue.
    SealRead,
    /// Before a sealer extends the tree and signs it.
    SealSign,
    /// Before a sealer inserts leaves, tiles and checkpoint.
    SealInsert,
    /// Before a sealer commits.
    SealCommit,
    /// After a sealer committed, before the checkpoint file is replaced.
    SealCommitted,
    /// After the new checkpoint file is written, before it is renamed over the old one.
    CheckpointFileRename,
    /// After the rename, before the directory is synced.
    CheckpointFileSync,
}

/// What a test does at a step: fail it, or never return, as in a process that was killed.
type Interruption = dyn Fn(Step) -> Pin<Box<dyn Future<Output = Result<(), DbError>> + Send>> + Send + Sync;

/// Called at each step, where a test attached an interruption.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<Interruption>>);

impl Faults {
    /// Calls `at` at every step.
    pub fn new<F>(at: impl Fn(Step) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), DbError>> + Send + 'static,
    {
        // Boxed, so that a test's future does not show in the type of everything that has steps.
        Self(Some(Arc::new(move |step| Box::pin(at(step)))))
    }

    /// Waits for the test's interruption, if there is one.
    pub async fn at(&self, step: Step) -> Result<(), DbError> {
        match &self.0 {
            // Neither an allocation nor a wait: every answer passes here.
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
