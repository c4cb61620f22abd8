//! What is to be told to others: events that happened, and items on their way to a target.
//!
//! Both are written in the transaction of the change that caused them (I6), so neither a change without its event nor an
//! event without its change exists. Events name no receiver: who wants them becomes known later, and each receiver then
//! gets an item of its own. Items are delivered at least once, with their id as the idempotency key over all tries, and in
//! order: of one target and one ordering key, a later item never overtakes an earlier one that is not delivered. A worker
//! holds an item by a lease that ends by itself; every attempt is a row, and so is every receipt.
//!
//! This room moves nothing: workers claim, carry and report. It does not know what a target is.

mod event;
mod item;
mod policy;

use crate::{
    domain::Failure,
    store::{Env, outbox},
};

pub use event::{Event, EventBatch, Happened, routed};
pub use item::{Failed, Lease, NewItem, Receipt, Settled, cancel, enqueue, redrive};
pub use policy::Policy;

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Never tried.
    pub queued: u64,
    /// With a worker now.
    pub leased: u64,
    /// Tried, and to be tried again.
    pub retry: u64,
    /// Given up: a person must look.
    pub dead: u64,
    /// Seconds since the oldest of them was enqueued.
    pub oldest_seconds: u64,
    /// Events whose receivers have no items yet.
    pub unrouted: u64,
}

/// The outbox, for those who carry what is in it.
#[derive(Debug, Clone)]
pub struct Outbox {
    env: Env,
    policy: Policy,
}

impl Outbox {
    /// The outbox of a store.
    pub const fn new(env: Env, policy: Policy) -> Self {
        Self { env, policy }
    }

    /// How much waits.
    pub async fn depth(&self) -> Result<Depth, Failure> {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let mut depth = Depth::default();
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

    /// Forgets events nobody can ask for any more, and tells the metrics how much waits.
    pub async fn tidy(&self) -> Result<u64, Failure> {
        let mut tx = self.env.db.begin("outbox::tidy").await?;
        let before = self.env.clock.now().minus(self.policy.events_kept);
        let forgotten = outbox::forget_events(&mut tx, before).await?;
        tx.commit().await?;
        let depth = self.depth().await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; nobody counts to 2^52 here")]
        let set = |state: &'static str, number: u64| {
            metrics::gauge!("medcredit_outbox_items", "state" => state).set(number as f64);
        };
        for (state, number) in
            [("queued", depth.queued), ("leased", depth.leased), ("retry", depth.retry), ("dead", depth.dead)]
        {
            set(state, number);
        }
        set("event", depth.unrouted);
        let oldest = u32::try_from(depth.oldest_seconds).unwrap_or(u32::MAX);
        metrics::gauge!("medcredit_outbox_oldest_seconds").set(f64::from(oldest));
        Ok(forgotten)
    }
}
