//! Idempotency keys (`Idempotency-Key`, M9): a request that is sent twice creates one consent.
//!
//! The response is stored in the transaction that creates the consent: a crash leaves both or neither. Refusals are not
//! stored: they change nothing, and a retry is checked again. Of two equal requests at the same time, this process refuses
//! the second while the first runs; another process waits for the bank's lock and then finds the stored response.

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

/// How long a response is stored. The documentation and the OpenAPI document promise it.
pub const STORED_FOR: Duration = Duration::from_hours(24);

/// How much longer it stays in the table, for gateways whose clocks are behind.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(5);

/// A key and the request under it, both as digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The digest of the key.
    pub key: String,
    /// The digest of method, path and body.
    pub request: String,
}

/// A response that a repeated request gets again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// The value of `Location`: the consent's path.
    pub location: String,
    /// The body, byte for byte.
    pub body: String,
}

/// The outcome of a request under a key.
#[derive(Debug)]
pub enum Requested {
    /// The consent was created now.
    Created(StoredResponse),
    /// The consent had been created; this was the response.
    Replayed(StoredResponse),
}

/// The key of a request, and how its response is made.
pub struct ResponseUnderKey<'a> {
    pub key: &'a IdempotencyKey,
    /// Makes the response for the new consent.
    pub respond: &'a (dyn Fn(&Consent) -> Result<StoredResponse, Failure> + Sync),
}

/// The keys whose requests are running in this process.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashSet<(ClientId, String)>>>);

impl Running {
    pub(super) fn begin(&self, client: ClientId, key: &str) -> Result<RunningKey, Failure> {
        let of = (client, key.to_owned());
        // A poisoned lock is usable: the set is never left half changed.
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

/// A key whose request is running. Dropping it removes the key, also when the request fails or is cancelled.
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
    /// The response stored under a key, if the request is the same.
    pub(super) async fn stored_response(
        &self,
        client: ClientId,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<StoredResponse>, Failure> {
        // An older row counts as absent, although it stays in the table for gateways whose clocks are behind.
        let stored = idempotency::find(&self.env.db, &client.to_string(), &key.key, now.minus(STORED_FOR)).await?;
        match stored {
            None => Ok(None),
            Some(row) if row.request == key.request => {
                Ok(Some(StoredResponse { location: row.location, body: row.body }))
            }
            Some(_) => Err(Failure::new(
                FailureKind::Unprocessable,
                "idempotency_key_reused",
                "This Idempotency-Key was used with another request in the last 24 hours. Use a new key.",
            )),
        }
    }

    /// Stores the response in the transaction that creates the consent. Returns `false` if another process was first.
    pub(super) async fn store_response(
        tx: &mut Tx,
        client: ClientId,
        key: &IdempotencyKey,
        response: &StoredResponse,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let row = StoredResponseRow {
            client_id: client.to_string(),
            key: key.key.clone(),
            request: key.request.clone(),
            // Only creations are stored: a refusal changes nothing, and a retry is checked again.
            status: 201,
            location: response.location.clone(),
            body: response.body.clone(),
            created_at: now.micros(),
        };
        Ok(idempotency::insert(tx, &row, now.minus(STORED_FOR)).await?)
    }

    /// Deletes responses that are no longer replayed. Returns how many.
    pub async fn delete_expired_responses(&self) -> Result<u64, Failure> {
        let mut tx = self.env.db.begin("consent::delete_expired_responses").await?;
        let deleted =
            idempotency::delete_older(&mut tx, self.env.clock.now().minus(STORED_FOR + CLOCK_TOLERANCE)).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}
