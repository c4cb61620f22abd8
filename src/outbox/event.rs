//! Events: typed, named, written with the change that caused them.

use serde::Serialize;

use super::Outbox;
use crate::{
    domain::{Clock, Entropy, Failure, Timestamp, ids::EventId},
    store::{
        DbError, Tx,
        outbox::{self, EventRow},
    },
};

/// Events of one statement.
const PAGE: usize = 1_000;

/// Something that happened. Its body is told to others, so nothing personal is in it: codes, months and numbers of versions
/// tell a receiver what to ask for again.
pub trait Event: Serialize {
    /// Its name, `noun.verb` in the past tense. Receivers choose by it; it never changes its meaning.
    const NAME: &'static str;

    /// What it is about: events with the same key reach a receiver in order.
    fn ordering_key(&self) -> String;
}

/// Events made ready before their transaction begins, so that it stays short.
#[derive(Debug, Default)]
pub struct EventBatch {
    pages: Vec<Vec<serde_json::Value>>,
}

impl EventBatch {
    /// None yet.
    pub const fn new() -> Self {
        Self { pages: Vec::new() }
    }

    /// Adds an event, and gives it its id.
    pub fn add<E: Event>(
        &mut self,
        (clock, entropy): (&dyn Clock, &dyn Entropy),
        event: &E,
    ) -> Result<(), serde_json::Error> {
        let body = serde_json::to_string(event)?;
        let id = EventId::new(clock, entropy).to_string();
        let row = serde_json::json!([id, E::NAME, event.ordering_key(), body]);
        match self.pages.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => page.push(row),
            None => self.pages.push(vec![row]),
        }
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pages.iter().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Writes them in the transaction of the change that caused them.
    pub async fn write(&self, tx: &mut Tx, now: Timestamp) -> Result<(), DbError> {
        for page in &self.pages {
            outbox::insert_events(tx, serde_json::Value::from(page.clone()).to_string(), now).await?;
        }
        Ok(())
    }
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Its id.
    pub id: EventId,
    /// Its name.
    pub topic: String,
    /// What it is about.
    pub ordering_key: String,
    /// Its body, JSON.
    pub body: String,
    /// When.
    pub at: Timestamp,
}

impl TryFrom<EventRow> for Happened {
    type Error = Failure;

    fn try_from(row: EventRow) -> Result<Self, Failure> {
        let EventRow { id, topic, ordering_key, body, happened_at } = row;
        let id = id.parse().map_err(Failure::internal)?;
        Ok(Self { id, topic, ordering_key, body, at: Timestamp::from_micros(happened_at) })
    }
}

impl Outbox {
    /// Events whose receivers have no items yet, oldest first. They are found by that and not by a position: transactions
    /// commit in another order than they began, and what is behind a position would be passed over.
    pub async fn unrouted(&self, most: i64) -> Result<Vec<Happened>, Failure> {
        let rows = outbox::unrouted(&self.env.db.read("outbox::unrouted"), most).await?;
        rows.into_iter().map(Happened::try_from).collect()
    }
}

/// Notes, in the transaction that enqueues the items of their receivers, that events are dealt with; `false` where another
/// router was first with one of them, and the transaction must be given up.
pub async fn routed(tx: &mut Tx, events: &[EventId], now: Timestamp) -> Result<bool, Failure> {
    let ids: Vec<_> = events.iter().map(|id| serde_json::json!({ "id": id })).collect();
    let changed = outbox::set_routed(tx, serde_json::Value::from(ids).to_string(), now).await?;
    Ok(usize::try_from(changed).is_ok_and(|changed| changed == events.len()))
}
