//! Items to deliver to a target: enqueue, lease, deliver, retry, give up, cancel.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Serialize;

use super::Outbox;
use crate::{
    domain::{Clock, Failure, FailureKind, Timestamp, ids::OutboxId},
    store::{
        DbError, Env, Tx,
        outbox::{self, AttemptEnd, ClaimedRow, NewRow},
    },
};

/// Items inserted by one statement.
const PAGE: usize = 1_000;

/// An item to enqueue.
#[derive(Debug, Clone, Copy)]
pub struct NewItem<'a> {
    /// The kind of message, as the receiver knows it.
    pub topic: &'a str,
    /// The receiver.
    pub target: &'a str,
    /// The ordering key: items of one target with the same key are delivered in the order in which they were enqueued.
    pub ordering_key: &'a str,
    /// The deduplication key: an item enqueued again for the same target is the same item.
    pub idempotency: &'a str,
    /// The content to deliver.
    pub body: &'a str,
}

/// A worker's lease of an item, for one attempt.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    /// The item's id, also the idempotency key of every attempt.
    pub id: OutboxId,
    /// The kind of message.
    pub topic: String,
    /// The receiver.
    pub target: String,
    /// The content to deliver.
    pub body: String,
    /// The number of this attempt, from 1.
    pub attempt: i64,
    /// The end of the lease. Afterwards another worker may claim the item.
    pub until: Timestamp,
    /// The same end in this process's monotonic time.
    ends: Duration,
    /// The number of attempts since the item was enqueued or redriven.
    tries: i64,
}

/// The receiver's acknowledgement.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Receipt {
    /// The status code, if the protocol has one.
    #[serde(skip)]
    pub status: Option<u16>,
    /// The receiver's reference number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Hex SHA-256 of the response body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_sha256: Option<String>,
    /// What went wrong, in words for an operator: without personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Selected headers of the response.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// A failed attempt.
#[derive(Debug, Clone, Default)]
pub struct FailedAttempt {
    /// The reason in one word: `timeout`, `refused`, `status`.
    pub reason: &'static str,
    /// The receiver's response, as far as there was one.
    pub receipt: Receipt,
    /// The wait that the receiver requests.
    pub retry_after: Option<Duration>,
    /// Whether a retry cannot succeed.
    pub permanent: bool,
}

/// The state of an item after a worker's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The item is delivered.
    Delivered,
    /// The item is tried again, not before this time.
    Retry(Timestamp),
    /// The item is given up: an operator must act.
    Dead,
    /// The lease expired and another worker claimed the item, or the item was cancelled. The attempt is recorded
    /// anyway.
    LeaseLost,
}

/// Enqueues an item in the transaction of the change that caused it, and returns its id. Enqueuing it again with the
/// same deduplication key returns the same id.
pub async fn enqueue(tx: &mut Tx, env: &Env, item: NewItem<'_>) -> Result<OutboxId, DbError> {
    // Positions of one key are assigned under a lock, so that they follow the order of commits.
    tx.lock_names(&[format!("outbox {} {}", item.target, item.ordering_key)]).await?;
    let id = OutboxId::new(&*env.clock, &*env.entropy);
    let NewItem { topic, target, ordering_key, idempotency, body } = item;
    let row = NewRow { id: &id.to_string(), topic, target, ordering_key, idempotency, body };
    let stored = outbox::enqueue(tx, row, env.now()).await?;
    // The stored id and not the new one: a second enqueue of the same item finds the first.
    stored.parse().map_err(|error| DbError::corrupt(tx.operation(), error))
}

/// Enqueues many items of one target, all of them new, and returns their ids in order. Each is an ordering key, a deduplication
/// key and a content.
pub async fn enqueue_all(
    tx: &mut Tx,
    env: &Env,
    (target, topic): (&str, &str),
    items: &[[String; 3]],
) -> Result<Vec<OutboxId>, DbError> {
    // Positions of one key are assigned under a lock, so that they follow the order of commits.
    let keys: BTreeSet<&str> = items.iter().map(|[key, ..]| key.as_str()).collect();
    let locks: Vec<_> = keys.into_iter().map(|key| format!("outbox {target} {key}")).collect();
    tx.lock_names(&locks).await?;
    let last = outbox::last_positions(tx, target).await?;
    let mut last: BTreeMap<String, i64> = last.into_iter().map(|row| (row.ordering_key, row.position)).collect();
    let mut ids = Vec::with_capacity(items.len());
    for page in items.chunks(PAGE) {
        let rows = page.iter().map(|[key, idempotency, body]| {
            let position = last.entry(key.clone()).or_default();
            *position += 1;
            let id = OutboxId::new(&*env.clock, &*env.entropy);
            ids.push(id);
            serde_json::json!([id, key, *position, idempotency, body])
        });
        let rows = serde_json::Value::from(rows.collect::<Vec<_>>()).to_string();
        outbox::enqueue_all(tx, target, topic, rows, env.now()).await?;
    }
    Ok(ids)
}

/// Cancels all items of a removed target that are not delivered. An attempt that is running ends with its lease.
pub async fn cancel(tx: &mut Tx, target: &str, now: Timestamp) -> Result<u64, DbError> {
    outbox::cancel(tx, target, now).await
}

/// Queues a given-up item again, at the beginning of the schedule.
pub async fn redrive(tx: &mut Tx, id: OutboxId, now: Timestamp) -> Result<(), Failure> {
    if outbox::redrive(tx, &id.to_string(), now).await? {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Conflict, "item_not_dead", format!("{id} is unknown, or was not given up.")))
}

impl Outbox {
    /// Leases up to `limit` items of a target, or of all, to a worker. No other worker gets them until their outcome is reported or the lease
    /// expires, as it does after a crash.
    pub async fn claim(&self, target: Option<&str>, owner: &str, limit: i64) -> Result<Vec<Lease>, Failure> {
        // A clock that is ahead would end the leases of workers that are still delivering (I10).
        self.env.require_clock()?;
        let (now, claimed_at) = (self.env.clock.now(), self.env.clock.monotonic());
        let until = now.plus(self.policy.lease);
        let mut tx = self.env.db.begin("outbox::claim").await?;
        // Expired leases end first, so that their items can be claimed in the same transaction.
        let expired = outbox::end_expired(&mut tx, self.policy.max_attempts(), now).await?;
        let mut rows = outbox::claim(&mut tx, target, owner, (now, until), limit).await?;
        tx.commit().await?;
        // Counted after the commit: what was rolled back has not happened.
        if expired > 0 {
            metrics::counter!("medcredit_outbox_leases_lost_total").increment(expired);
        }
        // The statement returns its rows in no order; a worker delivers the oldest first.
        rows.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        let ends = claimed_at + self.policy.lease;
        rows.into_iter().map(|row| Lease::of(row, ends)).collect()
    }

    /// Extends the leases that a worker has of a target's items, whose attempts are under way.
    pub async fn extend(&self, target: &str, owner: &str) -> Result<(), Failure> {
        let until = self.env.now().plus(self.policy.lease);
        let mut tx = self.env.db.begin("outbox::extend").await?;
        outbox::extend(&mut tx, target, owner, until).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends all leases of a target immediately, so that they need not expire: for its only worker, before it begins.
    pub async fn release(&self, target: &str) -> Result<u64, Failure> {
        let mut tx = self.env.db.begin("outbox::release").await?;
        let released = outbox::release(&mut tx, target, self.policy.max_attempts(), self.env.now()).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Reports that an item reached its target. The receipt is kept even if the lease has expired.
    pub async fn delivered(&self, lease: Lease, receipt: &Receipt) -> Result<Outcome, Failure> {
        let (id, attempt, now) = (lease.id.to_string(), lease.attempt, self.env.clock.now());
        let mut tx = self.env.db.begin("outbox::delivered").await?;
        // Also when the lease was lost: the receipt is evidence that the receiver has the item.
        self.end_attempt(&mut tx, &id, attempt, "delivered", receipt).await?;
        let settled = outbox::set_delivered(&mut tx, &id, attempt, now).await?;
        // A crash before the commit lets the lease expire, and the item is delivered again: at least once (I6).
        tx.commit().await?;
        metrics::counter!("medcredit_outbox_attempts_total", "outcome" => "delivered").increment(1);
        Ok(if settled { Outcome::Delivered } else { Outcome::LeaseLost })
    }

    /// Reports a failed attempt: the item is tried again later, or given up.
    pub async fn failed(&self, lease: Lease, failed: &FailedAttempt) -> Result<Outcome, Failure> {
        let (id, attempt, now) = (lease.id.to_string(), lease.attempt, self.env.clock.now());
        let wait =
            // No wait means that no attempt is left, so the item is dead and blocks later ones of its key.
            if failed.permanent { None } else { self.policy.wait(lease.tries, failed.retry_after, &*self.env.entropy) };
        let due = wait.map(|wait| now.plus(wait));
        let mut tx = self.env.db.begin("outbox::failed").await?;
        // The attempt's row and the metric need a word.
        let reason = if failed.reason.is_empty() { "failed" } else { failed.reason };
        self.end_attempt(&mut tx, &id, attempt, reason, &failed.receipt).await?;
        let settled = outbox::set_failed(&mut tx, &id, attempt, due, now).await?;
        tx.commit().await?;
        metrics::counter!("medcredit_outbox_attempts_total", "outcome" => reason).increment(1);
        Ok(match due {
            // Of a lease that was lost neither time nor death counts: the attempt after it decides.
            _ if !settled => Outcome::LeaseLost,
            Some(due) => Outcome::Retry(due),
            None => Outcome::Dead,
        })
    }

    async fn end_attempt(
        &self,
        tx: &mut Tx,
        id: &str,
        attempt: i64,
        outcome: &str,
        receipt: &Receipt,
    ) -> Result<(), Failure> {
        let text = serde_json::to_string(receipt).map_err(|error| Failure::internal(error.to_string()))?;
        let ended =
            AttemptEnd { outcome, status: receipt.status.map(i64::from), receipt: &text, at: self.env.clock.now() };
        outbox::end_attempt(tx, id, attempt, ended).await?;
        Ok(())
    }
}

impl Lease {
    /// Whether the lease is over, by the time that has passed here: another worker may have the item, whatever the clock
    /// shows. A worker looks before it delivers.
    pub fn is_over(&self, clock: &dyn Clock) -> bool {
        clock.monotonic() >= self.ends
    }

    fn of(row: ClaimedRow, ends: Duration) -> Result<Self, Failure> {
        Ok(Self {
            ends,
            id: row.id.parse().map_err(Failure::internal)?,
            topic: row.topic,
            target: row.target,
            body: row.body,
            attempt: row.attempts,
            // A claimed row always has an end; without one the lease would count as over, which is the safe side.
            until: Timestamp::from_micros(row.lease_until_at.unwrap_or(0)),
            tries: row.tries,
        })
    }
}
