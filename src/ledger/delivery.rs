//! Deliveries: disclosures that leave together, as the lines of one body.
//!
//! The rule of [`Disclosed`] holds for each line. [`Lines`] takes lines only from a [`Disclosed`], so only after their
//! commit; a [`DeliveryBody`] is made only from [`Lines`]; and a delivery's own [`Disclosed`] is made here from a [`DeliveryBody`],
//! after the commit of an entry that has the digest of the whole body.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::{
    LedgerError, append,
    entry::{Entry, Opening},
    faults::{Faults, Step},
    recorder::{Answer, Disclosed, RecordError},
};
use crate::{
    domain::ids::ClientId,
    store::{Db, DbError, ledger::delivery as table},
};

/// How often the last entry is tried when another transaction is in its way.
const ATTEMPTS: u32 = 5;

/// How long its transaction may take: behind a database that hangs, the bank would wait for ever.
const LIMIT: Duration = Duration::from_secs(10);

/// Lines whose records are durable, one after the other.
#[derive(Debug, Default)]
pub struct Lines {
    body: Vec<u8>,
    count: usize,
}

impl Lines {
    /// Adds the next line: the bytes that were recorded, and a newline.
    pub fn push(&mut self, line: Disclosed) {
        for piece in line.into_answer().body.into_pieces() {
            self.body.extend_from_slice(&piece);
        }
        self.body.push(b'\n');
        self.count += 1;
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Ends the body with a last line of the caller's, which has no subject's data in it.
    pub fn end(mut self, last: &[u8]) -> DeliveryBody {
        self.body.extend_from_slice(last);
        self.body.push(b'\n');
        DeliveryBody(self.body.into())
    }
}

/// The body of a delivery: lines whose records are durable, and the last.
#[derive(Clone)]
pub struct DeliveryBody(Bytes);

impl DeliveryBody {
    /// Its bytes, to be digested.
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

/// A delivery that waits for its own entry.
#[derive(Debug)]
pub struct Closing {
    /// The bank.
    pub client_id: ClientId,
    /// Its epoch, compared once more: a client that was ended meanwhile receives nothing.
    pub client_epoch: i64,
    /// The entry, which has the digest of the body.
    pub entry: Entry,
    /// The entry's opening.
    pub opening: Opening,
    /// The header fields, with the signature over that digest.
    pub headers: HeaderMap,
    /// The body.
    pub body: DeliveryBody,
}

/// Records the last entry of a delivery.
#[derive(Debug, Clone)]
pub struct DeliveryRecorder {
    db: Db,
    faults: Faults,
}

impl DeliveryRecorder {
    /// A closer over a store. `faults` are a test's.
    pub const fn new(db: Db, faults: Faults) -> Self {
        Self { db, faults }
    }

    /// Waits until the delivery's own entry is durable and hands the delivery back for release.
    pub async fn close(&self, closing: Closing) -> Result<Disclosed, RecordError> {
        let mut attempt = 1;
        loop {
            // Cut off in the middle, its outcome is unknown: nothing is released.
            let outcome = tokio::time::timeout(LIMIT, self.attempt(&closing)).await.unwrap_or_else(|_| {
                Err(LedgerError::Store(DbError::Setup("the database did not answer in time".into())))
            });
            match outcome {
                Ok(true) => {
                    let Closing { entry, headers, body, .. } = closing;
                    return Ok(Disclosed::after_commit(entry.into_id(), Answer { headers, body: body.0.into() }, None));
                }
                Ok(false) => return Err(RecordError::Stale),
                Err(LedgerError::Store(error)) if error.is_contention() && attempt < ATTEMPTS => attempt += 1,
                Err(error) => {
                    tracing::error!(error = %error, "a delivery could not be recorded: it is not released");
                    return Err(RecordError::Unavailable(error.to_string()));
                }
            }
        }
    }

    /// Whether the client stood and the entry is durable.
    async fn attempt(&self, closing: &Closing) -> Result<bool, LedgerError> {
        let client = closing.client_id.to_string();
        self.faults.at(Step::Begin).await?;
        let mut tx = self.db.begin("ledger.deliver").await?;
        self.faults.at(Step::Lock).await?;
        // As in a batch: from here to the commit no narrowing of the bank's access can commit.
        tx.lock_banks_shared(std::slice::from_ref(&client)).await?;
        self.faults.at(Step::ReadVersions).await?;
        if !table::client_stands(&mut tx, &client, closing.client_epoch).await? {
            return Ok(false);
        }
        self.faults.at(Step::Insert).await?;
        append(&mut tx, &closing.entry, Some(&closing.opening)).await?;
        self.faults.at(Step::Commit).await?;
        tx.commit().await?;
        // A crash here leaves the entries of a delivery that was never released: recorded too much, never too little.
        self.faults.at(Step::Committed).await?;
        Ok(true)
    }
}
