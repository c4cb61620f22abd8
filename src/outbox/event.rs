//! Events: typed and named, written in the transaction of the change that caused them.

use serde::Serialize;

use super::Outbox;
use crate::{
    domain::{Failure, Timestamp, ids::EventId},
    store::{
        DbError, Env, Tx,
        outbox::{self, EventRow},
    },
};

/// Events inserted by one statement.
const PAGE: usize = 1_000;

/// An event. Its body is sent to receivers, so it contains nothing personal: codes, months and version numbers let a
/// receiver know what to read again.
pub trait Event: Serialize {
    /// The name, `noun.verb` in the past tense. Receivers filter by it; its meaning never changes.
    const NAME: &'static str;

    /// The ordering key: events with the same key reach a receiver in order.
    fn ordering_key(&self) -> String;
}

/// Events serialized before their transaction begins, so that the transaction stays short.
#[derive(Debug, Default)]
pub struct EventBatch {
    pages: Vec<Vec<serde_json::Value>>,
}

impl EventBatch {
    /// Creates an empty batch.
    pub const fn new() -> Self {
        Self { pages: Vec::new() }
    }

    /// Adds an event under a new id.
    pub fn add<E: Event>(&mut self, env: &Env, event: &E) -> Result<(), serde_json::Error> {
        let body = serde_json::to_string(event)?;
        let id = EventId::new(&*env.clock, &*env.entropy).to_string();
        // An array, as the statement reads it: names of members would repeat in every row.
        let row = serde_json::json!([id, E::NAME, event.ordering_key(), body]);
        match self.pages.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => page.push(row),
            None => self.pages.push(vec![row]),
        }
        Ok(())
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.pages.iter().map(Vec::len).sum()
    }

    /// Whether the batch is empty.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Inserts the events in the transaction of the change that caused them.
    pub async fn write(&self, tx: &mut Tx, now: Timestamp) -> Result<(), DbError> {
        for page in &self.pages {
            // Copied, because a transaction that meets contention is attempted again with the same batch.
            outbox::insert_events(tx, serde_json::Value::from(page.clone()).to_string(), now).await?;
        }
        Ok(())
    }
}

/// An event in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The event's id.
    pub id: EventId,
    /// [`Event::NAME`].
    pub topic: String,
    /// [`Event::ordering_key`].
    pub ordering_key: String,
    /// The event as JSON.
    pub body: String,
    /// The time of the change.
    pub at: Timestamp,
}

impl TryFrom<EventRow> for StoredEvent {
    type Error = Failure;

    fn try_from(row: EventRow) -> Result<Self, Failure> {
        let EventRow { id, topic, ordering_key, body, happened_at } = row;
        let id = id.parse().map_err(Failure::internal)?;
        Ok(Self { id, topic, ordering_key, body, at: Timestamp::from_micros(happened_at) })
    }
}

impl Outbox {
    /// Returns up to `limit` events that are not routed yet, oldest first. The query uses their state and not a
    /// position: transactions commit in another order than they begin, so a position could skip events.
    pub async fn unrouted(&self, limit: i64) -> Result<Vec<StoredEvent>, Failure> {
        let rows = outbox::unrouted(&self.env.db.read("outbox::unrouted"), limit).await?;
        rows.into_iter().map(StoredEvent::try_from).collect()
    }
}

/// Marks events as routed, in the transaction that enqueues the items for their receivers. Returns `false` if another
/// router was first with one of them; the transaction must then be rolled back.
pub async fn mark_routed(tx: &mut Tx, events: &[EventId], now: Timestamp) -> Result<bool, Failure> {
    let ids: Vec<_> = events.iter().map(|id| serde_json::json!({ "id": id })).collect();
    let changed = outbox::set_routed(tx, serde_json::Value::from(ids).to_string(), now).await?;
    // Fewer rows than events: another router has enqueued items for the missing ones, and a second set must not follow.
    Ok(usize::try_from(changed).is_ok_and(|changed| changed == events.len()))
}
