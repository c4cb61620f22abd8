//! A request that may be sent twice and counts once (`Idempotency-Key`, M9).
//!
//! The answer is kept in the transaction that creates the consent: a crash leaves both or neither. Only what was created is
//! kept; a refusal changes nothing and is judged anew. Equal requests at one moment: this process refuses the second while
//! the first runs; another process waits for the bank's lock and then finds what the first kept.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Consent, Consents};
use crate::{
    domain::{Failure, FailureKind, Timestamp, ids::ClientId},
    store::{
        Tx,
        idempotency::{self, StoredResponseRow},
    },
};

/// How long an answer is kept. Published: docs and OpenAPI name it.
pub const KEPT_FOR: Duration = Duration::from_hours(24);

/// How long beyond that other gateways, whose clocks may be behind, may still find it.
const FORGETTING: Duration = Duration::from_mins(5);

/// A key and what was asked under it, both as digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Of the key.
    pub key: String,
    /// Of method, path and body.
    pub request: String,
}

/// An answer to be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// Where the created thing is.
    pub location: String,
    /// The body, byte for byte.
    pub body: String,
}

/// What became of a request that may be sent twice.
#[derive(Debug)]
pub enum Requested {
    /// It was carried out now.
    Created(StoredResponse),
    /// It had been; this was the answer.
    Replayed(StoredResponse),
}

/// How a request under a key is answered, and kept.
pub struct Once<'a> {
    /// The key.
    pub key: &'a IdempotencyKey,
    /// Makes the answer of the new consent.
    pub answer: &'a (dyn Fn(&Consent) -> Result<StoredResponse, Failure> + Sync),
}

/// Keys whose requests run in this process.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashSet<(ClientId, String)>>>);

impl Running {
    pub(super) fn begin(&self, client: ClientId, key: &str) -> Result<RunningKey, Failure> {
        let of = (client, key.to_owned());
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(of.clone()) {
            return Ok(RunningKey { running: self.clone(), of });
        }
        Err(Failure::new(
            FailureKind::Conflict,
            "idempotency_key_in_use",
            "A request with this Idempotency-Key is still running. Send it again in a moment.",
        ))
    }
}

/// A key whose request runs; gone when the request ends, whatever its end.
#[derive(Debug)]
pub(super) struct RunningKey {
    running: Running,
    of: (ClientId, String),
}

impl Drop for RunningKey {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.of);
    }
}

impl Consents {
    /// What is kept under a key, if it answered the same request.
    pub(super) async fn kept(
        &self,
        client: ClientId,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<StoredResponse>, Failure> {
        let kept = idempotency::find(&self.env.db, &client.to_string(), &key.key, now.minus(KEPT_FOR)).await?;
        match kept {
            None => Ok(None),
            Some(row) if row.request == key.request => {
                Ok(Some(StoredResponse { location: row.location, body: row.body }))
            }
            Some(_) => Err(Failure::new(
                FailureKind::Unprocessable,
                "idempotency_key_reused",
                "This Idempotency-Key was used with another request in the last 24 hours. Take a new key.",
            )),
        }
    }

    /// Keeps the answer in the transaction that makes it true; `false` where another process was first.
    pub(super) async fn keep(
        tx: &mut Tx,
        client: ClientId,
        key: &IdempotencyKey,
        answer: &StoredResponse,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let row = StoredResponseRow {
            client_id: client.to_string(),
            key: key.key.clone(),
            request: key.request.clone(),
            status: 201,
            location: answer.location.clone(),
            body: answer.body.clone(),
            created_at: now.micros(),
        };
        Ok(idempotency::insert(tx, &row, now.minus(KEPT_FOR)).await?)
    }

    /// Forgets answers that are no longer given again.
    pub async fn forget_kept(&self) -> Result<u64, Failure> {
        let mut tx = self.env.db.begin("consent::forget_kept").await?;
        let forgotten = idempotency::delete_older(&mut tx, self.env.clock.now().minus(KEPT_FOR + FORGETTING)).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}
