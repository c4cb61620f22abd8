//! The outbox: enqueued with its cause, leased, tried again, kept in order, given up, cancelled. No worker carries anything
//! here: the tests are the worker.

mod events;
mod life;
mod model;
mod workers;

use std::time::Duration;

use medcredit::{
    domain::ids::OutboxId,
    outbox::{self, Lease, NewItem, Outbox, Policy},
    store::outbox::{AttemptRow, ItemRow},
};

use crate::support::TestStore;

/// An outbox that a worker carries from.
#[derive(Debug)]
pub struct Post {
    pub store: TestStore,
    pub outbox: Outbox,
}

impl Post {
    pub fn new(store: TestStore) -> Self {
        // Exact waits; the spread has a test of its own.
        let policy = Policy { jitter_percent: 0, ..Policy::default() };
        let outbox = Outbox::new(store.env(), policy);
        Self { store, outbox }
    }

    pub async fn enqueue(&self, target: &str, key: &str, body: &str) -> OutboxId {
        let mut tx = self.store.db.begin("test").await.unwrap();
        let item = NewItem { topic: "grade.corrected", target, ordering_key: key, idempotency: body, body };
        let id = outbox::enqueue(&mut tx, (&*self.store.clock, &*self.store.entropy), item).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub async fn items(&self, target: &str) -> Vec<ItemRow> {
        medcredit::store::outbox::list(&self.store.db.read("test"), target).await.unwrap()
    }

    pub async fn state(&self, target: &str) -> Vec<String> {
        self.items(target).await.into_iter().map(|item| item.state).collect()
    }

    pub async fn attempts(&self, id: OutboxId) -> Vec<AttemptRow> {
        medcredit::store::outbox::attempts(&self.store.db.read("test"), &id.to_string()).await.unwrap()
    }

    pub fn advance(&self, seconds: u64) {
        self.store.clock.advance(Duration::from_secs(seconds));
    }

    /// The bodies of what a worker gets, and the leases.
    pub async fn claim(&self, owner: &str) -> Vec<Lease> {
        self.outbox.claim(owner, 10).await.unwrap()
    }
}
