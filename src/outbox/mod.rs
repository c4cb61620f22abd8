//! The transactional outbox: events, and items to deliver to a target.
//!
//! Both are written in the transaction of the change that caused them (I6), so there is never a change without its
//! event or an event without its change. Events name no receiver: a router later enqueues an item for each receiver.
//! Items are delivered at least once, with their id as the idempotency key of every attempt, and in order: among the
//! items of one target and ordering key, a later one never overtakes an earlier one that is not delivered. A worker
//! leases an item, and the lease expires by itself; every attempt is a row and keeps its receipt.
//!
//! This room delivers nothing: workers claim items, deliver them and report the outcome. It does not know what a target
//! is.

mod event;
mod item;
mod policy;

use crate::{
    domain::Failure,
    store::{Env, outbox},
};

pub use event::{Event, EventBatch, StoredEvent, mark_routed};
pub use item::{FailedAttempt, Lease, NewItem, Outcome, Receipt, cancel, enqueue, enqueue_all, redrive};
pub use policy::Policy;

/// The number of items and events that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Items never tried.
    pub queued: u64,
    /// Items leased by a worker.
    pub leased: u64,
    /// Items that are tried again later.
    pub retry: u64,
    /// Items that are given up: an operator must act.
    pub dead: u64,
    /// Age of the oldest of these items, in seconds.
    pub oldest_seconds: u64,
    /// Events that are not routed yet.
    pub unrouted: u64,
}

/// The outbox, as workers and routers use it.
#[derive(Debug, Clone)]
pub struct Outbox {
    env: Env,
    policy: Policy,
}

impl Outbox {
    /// Creates the outbox of a store.
    pub const fn new(env: Env, policy: Policy) -> Self {
        Self { env, policy }
    }

    /// Counts the items and events that wait.
    pub async fn depth(&self) -> Result<Depth, Failure> {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let mut depth = Depth::default();
        // Over all states: an item that is dead is as late as one that waits.
        let mut oldest = None;
        for row in outbox::depth(&self.env.db.read("outbox::depth")).await? {
            match row.state.as_str() {
                "queued" => depth.queued = count(row.number),
                "leased" => depth.leased = count(row.number),
                "retry" => depth.retry = count(row.number),
                _ => depth.dead = count(row.number),
            }
            oldest = oldest.into_iter().chain([row.oldest_at]).min();
        }
        let now = self.env.clock.now().micros();
        depth.oldest_seconds = oldest.map_or(0, |at| count(now.saturating_sub(at) / 1_000_000));
        depth.unrouted = count(outbox::count_unrouted(&self.env.db.read("outbox::count_unrouted")).await?);
        Ok(depth)
    }

    /// Deletes events whose retention is over, and updates the metrics. Returns how many were deleted.
    pub async fn purge(&self) -> Result<u64, Failure> {
        let mut tx = self.env.db.begin("outbox::purge").await?;
        // Routed or not: until a receiver is configured, only this bounds the table.
        let before = self.env.clock.now().minus(self.policy.event_retention);
        let deleted = outbox::delete_events(&mut tx, before).await?;
        tx.commit().await?;
        // After the commit, so that the gauges show what is left.
        let depth = self.depth().await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; the counts stay far below 2^52")]
        let set = |state: &'static str, number: u64| {
            metrics::gauge!("medcredit_outbox_items", "state" => state).set(number as f64);
        };
        for (state, number) in
            [("queued", depth.queued), ("leased", depth.leased), ("retry", depth.retry), ("dead", depth.dead)]
        {
            set(state, number);
        }
        set("event", depth.unrouted);
        // A u32 converts to f64 without loss, and its maximum is 136 years.
        let oldest = u32::try_from(depth.oldest_seconds).unwrap_or(u32::MAX);
        metrics::gauge!("medcredit_outbox_oldest_seconds").set(f64::from(oldest));
        Ok(deleted)
    }
}
