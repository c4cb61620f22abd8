//! The outbox: enqueue, lease, retry, order, give up, cancel. Nothing is sent here: the tests act as the workers.

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

/// An outbox with its store.
#[derive(Debug)]
pub struct Harness {
    pub store: TestStore,
    pub outbox: Outbox,
}

impl Harness {
    pub fn new(store: TestStore) -> Self {
        // Exact waits; jitter has a unit test.
        let policy = Policy { jitter_percent: 0, ..Policy::default() };
        let outbox = Outbox::new(store.env(), policy);
        Self { store, outbox }
    }

    pub async fn enqueue(&self, target: &str, key: &str, body: &str) -> OutboxId {
        let mut tx = self.store.db.begin("test").await.unwrap();
        let item = NewItem { topic: "grade.corrected", target, ordering_key: key, idempotency: body, body };
        let id = outbox::enqueue(&mut tx, &self.store.env(), item).await.unwrap();
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

    /// Claims up to ten items for a worker.
    pub async fn claim(&self, owner: &str) -> Vec<Lease> {
        self.outbox.claim(None, owner, 10).await.unwrap()
    }
}
