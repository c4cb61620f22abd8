//! Items on their way to a target: enqueued, leased, delivered, tried again, given up, cancelled.

use std::time::Duration;

use serde::Serialize;

use super::Outbox;
use crate::{
    domain::{Clock, Entropy, Failure, FailureKind, Timestamp, ids::OutboxId},
    store::{
        DbError, Tx,
        outbox::{self, ClaimedRow, Ended, NewRow},
    },
};

/// An item to be delivered.
#[derive(Debug, Clone, Copy)]
pub struct NewItem<'a> {
    /// What it is, as its receiver knows it.
    pub topic: &'a str,
    /// Where it goes.
    pub target: &'a str,
    /// What it is about: of one target, items with the same key go out in the order in which they were enqueued.
    pub ordering_key: &'a str,
    /// By what the same item is recognised when it is enqueued again for the same target.
    pub idempotency: &'a str,
    /// What is delivered.
    pub body: &'a str,
}

/// A worker's hold on an item, for one attempt.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    /// The item, and the idempotency key of every attempt at it.
    pub id: OutboxId,
    /// What it is.
    pub topic: String,
    /// Where it goes.
    pub target: String,
    /// What is delivered.
    pub body: String,
    /// Which attempt this is, from 1.
    pub attempt: i64,
    /// Until when it holds. Afterwards another worker may begin a further attempt.
    pub until: Timestamp,
    /// How often it was tried since it was enqueued, or taken up again.
    tries: i64,
}

/// What a receiver gave in exchange.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Receipt {
    /// Its status code, where the carrier has one.
    #[serde(skip)]
    pub status: Option<u16>,
    /// The number under which the receiver keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Hex SHA-256 of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_sha256: Option<String>,
    /// Some headers of its answer.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub headers: std::collections::BTreeMap<String, String>,
}

/// An attempt that did not deliver.
#[derive(Debug, Clone, Default)]
pub struct Failed {
    /// What went wrong, in a word: `timeout`, `refused`, `status`.
    pub reason: &'static str,
    /// What the receiver gave all the same.
    pub receipt: Receipt,
    /// How long it wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether trying again is of no use.
    pub permanent: bool,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The item is delivered.
    Delivered,
    /// It is tried again, not before this time.
    Retry(Timestamp),
    /// It was given up: a person must look.
    Dead,
    /// Somebody else has it by now, or it was cancelled. The attempt is noted all the same.
    LeaseLost,
}

/// Enqueues an item in the transaction of the change that caused it. The same idempotency again gives the same item.
pub async fn enqueue(
    tx: &mut Tx,
    (clock, entropy): (&dyn Clock, &dyn Entropy),
    item: NewItem<'_>,
) -> Result<OutboxId, DbError> {
    // Positions of one key are given one after the other, in the order of commits.
    tx.lock_names(&[format!("outbox {} {}", item.target, item.ordering_key)]).await?;
    let id = OutboxId::new(clock, entropy);
    let NewItem { topic, target, ordering_key, idempotency, body } = item;
    let row = NewRow { id: &id.to_string(), topic, target, ordering_key, idempotency, body };
    let kept = outbox::enqueue(tx, row, clock.now()).await?;
    kept.parse().map_err(|error| DbError::corrupt(tx.operation(), error))
}

/// Cancels what has not reached a target that is gone. What is under way ends as its lease does.
pub async fn cancel(tx: &mut Tx, target: &str, now: Timestamp) -> Result<u64, DbError> {
    outbox::cancel(tx, target, now).await
}

/// Takes up an item that was given up, from the beginning of the schedule.
pub async fn redrive(tx: &mut Tx, id: OutboxId, now: Timestamp) -> Result<(), Failure> {
    if outbox::redrive(tx, &id.to_string(), now).await? {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Conflict, "item_not_dead", format!("{id} is unknown, or was not given up.")))
}

impl Outbox {
    /// Takes up to `most` items for a worker. Nobody else gets them until they are settled or the lease ends; what a
    /// worker left behind when it died is taken up by whoever comes next.
    pub async fn claim(&self, owner: &str, most: i64) -> Result<Vec<Lease>, Failure> {
        let now = self.env.clock.now();
        let until = now.plus(self.policy.lease);
        let mut tx = self.env.db.begin("outbox::claim").await?;
        let expired = outbox::end_expired(&mut tx, self.policy.tries(), now).await?;
        let mut rows = outbox::claim(&mut tx, owner, (now, until), most).await?;
        tx.commit().await?;
        if expired > 0 {
            metrics::counter!("medcredit_outbox_leases_lost_total").increment(expired);
        }
        rows.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        rows.into_iter().map(Lease::try_from).collect()
    }

    /// Reports that an item reached its target. True also when the lease had ended meanwhile.
    pub async fn delivered(&self, lease: Lease, receipt: &Receipt) -> Result<Settled, Failure> {
        let (id, attempt, now) = (lease.id.to_string(), lease.attempt, self.env.clock.now());
        let mut tx = self.env.db.begin("outbox::delivered").await?;
        self.note(&mut tx, (&id, attempt), "delivered", receipt).await?;
        let settled = outbox::set_delivered(&mut tx, (&id, attempt), now).await?;
        tx.commit().await?;
        metrics::counter!("medcredit_outbox_attempts_total", "outcome" => "delivered").increment(1);
        Ok(if settled { Settled::Delivered } else { Settled::LeaseLost })
    }

    /// Reports that an attempt did not deliver: the item is tried again in its time, or given up.
    pub async fn failed(&self, lease: Lease, failed: &Failed) -> Result<Settled, Failure> {
        let (id, attempt, now) = (lease.id.to_string(), lease.attempt, self.env.clock.now());
        let wait =
            if failed.permanent { None } else { self.policy.wait(lease.tries, failed.retry_after, &*self.env.entropy) };
        let due = wait.map(|wait| now.plus(wait));
        let mut tx = self.env.db.begin("outbox::failed").await?;
        let reason = if failed.reason.is_empty() { "failed" } else { failed.reason };
        self.note(&mut tx, (&id, attempt), reason, &failed.receipt).await?;
        let settled = outbox::set_failed(&mut tx, (&id, attempt), due, now).await?;
        tx.commit().await?;
        metrics::counter!("medcredit_outbox_attempts_total", "outcome" => reason).increment(1);
        Ok(match due {
            _ if !settled => Settled::LeaseLost,
            Some(due) => Settled::Retry(due),
            None => Settled::Dead,
        })
    }

    async fn note(
        &self,
        tx: &mut Tx,
        (id, attempt): (&str, i64),
        outcome: &str,
        receipt: &Receipt,
    ) -> Result<(), Failure> {
        let text = serde_json::to_string(receipt).map_err(|error| Failure::internal(error.to_string()))?;
        let ended = Ended { outcome, status: receipt.status.map(i64::from), receipt: &text, at: self.env.clock.now() };
        outbox::end_attempt(tx, (id, attempt), ended).await?;
        Ok(())
    }
}

impl TryFrom<ClaimedRow> for Lease {
    type Error = Failure;

    fn try_from(row: ClaimedRow) -> Result<Self, Failure> {
        Ok(Self {
            id: row.id.parse().map_err(Failure::internal)?,
            topic: row.topic,
            target: row.target,
            body: row.body,
            attempt: row.attempts,
            until: Timestamp::from_micros(row.lease_until_at.unwrap_or(0)),
            tries: row.tries,
        })
    }
}
