//! Deliveries: many disclosures in one answer, each a line of its body.
//!
//! The rule of [`Disclosed`] applies to each line. [`DeliveryLines`] takes lines only from a [`Disclosed`], so only after
//! their commit; a [`DeliveryBody`] is made only from [`DeliveryLines`]; and the delivery's own [`Disclosed`] is made here
//! from a [`DeliveryBody`], after the commit of an entry with the digest of the whole body.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::Semaphore;

use super::{
    answers::{AnswerJournal, GivenAnswer},
    append::append,
    disclosed::{Answer, Disclosed, RecordError},
    entry::{Entry, Opening},
    error::LedgerError,
    faults::{Faults, Step},
    history::History,
};
use crate::{
    domain::{error_chain, ids::ClientId},
    store::{Db, DbError, clients, ledger::append as table},
};

/// How often the delivery's entry is tried when it conflicts with another transaction.
const ATTEMPTS: u32 = 5;

/// The limit of its transaction's time: behind a database that hangs, the bank would wait without end.
const LIMIT: Duration = Duration::from_secs(10);

/// How many deliveries' entries are committed concurrently: the process remembers as many (`REMEMBERED` in history.rs).
const CONCURRENCY: usize = 2;

/// DeliveryLines whose records are durable, one after the other.
#[derive(Debug, Default)]
pub struct DeliveryLines {
    body: Vec<u8>,
    count: usize,
}

impl DeliveryLines {
    /// Adds the next line: the bytes that were recorded, and a newline.
    pub fn push(&mut self, line: Disclosed) {
        // The line is consumed: what is in a delivery cannot be released a second time by itself.
        for piece in line.into_answer().body.into_pieces() {
            self.body.extend_from_slice(&piece);
        }
        self.body.push(b'\n');
        self.count += 1;
    }

    /// Number of lines.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Completes the body with a last line from the caller, which contains no subject's data.
    pub fn finish(mut self, last: &[u8]) -> DeliveryBody {
        self.body.extend_from_slice(last);
        self.body.push(b'\n');
        DeliveryBody(self.body.into())
    }
}

/// The body of a delivery: lines whose records are durable, and the last line.
#[derive(Clone)]
pub struct DeliveryBody(Bytes);

impl DeliveryBody {
    /// Its bytes, for the digest.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for DeliveryBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It is subjects' data (I8).
        write!(f, "DeliveryBody({} bytes)", self.0.len())
    }
}

/// A delivery to be recorded.
#[derive(Debug)]
pub struct DeliveryDraft {
    pub client_id: ClientId,
    /// The bank's epoch, compared once more: a client whose access has ended receives nothing.
    pub client_epoch: i64,
    /// The entry, with the digest of the body.
    pub entry: Entry,
    pub opening: Opening,
    /// The header fields, with a signature over that digest.
    pub headers: HeaderMap,
    pub body: DeliveryBody,
}

/// The outcome of one attempt to record a delivery.
enum Attempt {
    /// The entry is durable.
    Committed,
    /// The client's access has changed since the delivery was rendered; nothing was written.
    Stale,
    /// The database lacks what this process knows, such as the entries of the lines; nothing was written.
    Behind,
}

/// Records the delivery entry, after the entries of its lines.
#[derive(Debug, Clone)]
pub struct DeliveryRecorder {
    db: Db,
    history: History,
    answers: Option<AnswerJournal>,
    concurrency: Arc<Semaphore>,
    faults: Faults,
}

impl DeliveryRecorder {
    /// A recorder over a store. Tests inject `faults`.
    pub(super) fn new(db: Db, history: History, answers: Option<AnswerJournal>, faults: Faults) -> Self {
        Self { db, history, answers, concurrency: Arc::new(Semaphore::new(CONCURRENCY)), faults }
    }

    /// Waits until the delivery's entry is durable and returns the delivery for release.
    pub async fn record(&self, draft: DeliveryDraft) -> Result<Disclosed, RecordError> {
        // The semaphore is never closed.
        let _permit = self.concurrency.acquire().await;
        let behind = |history: &dyn std::fmt::Display| RecordError::HistoryBehind(history.to_string());
        let _in_progress = self.history.begin().await.map_err(|history| behind(&history))?;
        let mut attempt = 1;
        loop {
            // After a timeout in the middle the outcome is unknown: nothing is released.
            let outcome = tokio::time::timeout(LIMIT, self.attempt(&draft)).await.unwrap_or_else(|_| {
                Err(LedgerError::Store(DbError::Setup("the database did not answer in time".into())))
            });
            match outcome {
                Ok(Attempt::Committed) => {
                    // Before it leaves: from here on the database must have this entry, or nothing more is recorded.
                    self.history.committed(draft.entry.id());
                    self.name(&draft).await?;
                    let DeliveryDraft { entry, headers, body, .. } = draft;
                    return Ok(Disclosed::after_commit(entry.into_id(), Answer { headers, body: body.0.into() }, None));
                }
                Ok(Attempt::Stale) => return Err(RecordError::Stale),
                Ok(Attempt::Behind) => {
                    self.history.overtaken();
                    return Err(behind(&self.history.state()));
                }
                // Only contention is tried again, because then it is certain that nothing was written; and not without
                // end, because the bank waits.
                Err(LedgerError::Store(error)) if error.is_contention() && attempt < ATTEMPTS => attempt += 1,
                Err(error) => {
                    tracing::error!(error = %error, "a delivery could not be recorded: it is not released");
                    return Err(RecordError::Unavailable(error.to_string()));
                }
            }
        }
    }

    /// Writes the delivery's name to the journal of answers. Those of its lines are in it.
    async fn name(&self, draft: &DeliveryDraft) -> Result<(), RecordError> {
        let Some(journal) = &self.answers else { return Ok(()) };
        let (id, client) = (draft.entry.id().to_owned(), draft.client_id.to_string());
        journal.append(&[GivenAnswer { id, client, consent: None }]).await.map_err(|error| {
            let why = format!("the journal of answers could not be written: {}", error_chain(&error));
            tracing::error!(error = %why, "a delivery is recorded and not released");
            RecordError::Unavailable(why)
        })
    }

    async fn attempt(&self, draft: &DeliveryDraft) -> Result<Attempt, LedgerError> {
        let client = draft.client_id.to_string();
        self.faults.at(Step::Begin).await?;
        let mut tx = self.db.begin("ledger.deliver").await?;
        self.faults.at(Step::Lock).await?;
        // As in a batch: until this commit, no change can commit that narrows the bank's access.
        tx.lock_banks_shared(std::slice::from_ref(&client)).await?;
        self.faults.at(Step::ReadVersions).await?;
        if table::is_behind(&mut tx, self.history.known()).await? {
            return Ok(Attempt::Behind);
        }
        // Consents are not compared again: each line's own append did so, and only their release together is recorded
        // here.
        if !clients::is_active(&mut tx, &client, draft.client_epoch).await? {
            return Ok(Attempt::Stale);
        }
        self.faults.at(Step::Insert).await?;
        append(&mut tx, &draft.entry, Some(&draft.opening)).await?;
        self.faults.at(Step::Commit).await?;
        // An error other than contention leaves the outcome unknown: the page is not released, and the bank gets 503.
        tx.commit().await?;
        // A crash here leaves the entries of a delivery that was never released: recorded too much, never too little.
        self.faults.at(Step::Committed).await?;
        Ok(Attempt::Committed)
    }
}
