//! Events: written with their cause, routed once, deleted after their retention.

use medcredit::{
    domain::Clock,
    outbox::{Event, EventBatch, mark_routed},
};
use serde::Serialize;

use super::Harness;
use crate::support::{TestStore, both_engines};

#[derive(Debug, Serialize)]
struct Moved {
    code: String,
    version: i64,
}

impl Event for Moved {
    const NAME: &'static str = "subject.moved";

    fn ordering_key(&self) -> String {
        self.code.clone()
    }
}

async fn publish(post: &Harness, numbers: std::ops::Range<i64>) {
    let mut batch = EventBatch::new();
    for version in numbers {
        let event = Moved { code: format!("H{}", version % 7), version };
        batch.add(&post.store.env(), &event).unwrap();
    }
    let mut tx = post.store.db.begin("test").await.unwrap();
    batch.write(&mut tx, post.store.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

both_engines! {
    events_are_routed_once_and_none_is_skipped,
    events_are_deleted_after_their_retention_and_counted_until_then,
}

/// Each change is routed once, in whichever order transactions commit.
async fn events_are_routed_once_and_none_is_skipped(store: TestStore) {
    let post = Harness::new(store);
    publish(&post, 0..2_500).await;
    // A transaction that began earlier and commits later is not skipped.
    let late = {
        let mut batch = EventBatch::new();
        let event = Moved { code: "H9".into(), version: 9_999 };
        batch.add(&post.store.env(), &event).unwrap();
        batch
    };
    let began = post.store.clock.now();
    post.advance(10);
    let first = post.outbox.unrouted(10_000).await.unwrap();
    assert_eq!(first.len(), 2_500);
    assert!(first.iter().all(|event| event.topic == "subject.moved" && event.at == began));
    let ids: Vec<_> = first.iter().map(|event| event.id).collect();
    let mut tx = post.store.db.begin("test").await.unwrap();
    assert!(mark_routed(&mut tx, &ids, post.store.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = post.store.db.begin("test").await.unwrap();
    late.write(&mut tx, began).await.unwrap();
    tx.commit().await.unwrap();
    let second = post.outbox.unrouted(10_000).await.unwrap();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].body, r#"{"code":"H9","version":9999}"#);
    let mut tx = post.store.db.begin("test").await.unwrap();
    assert!(!mark_routed(&mut tx, &ids[..1], post.store.clock.now()).await.unwrap(), "another router was first");
}

/// No router ever reads the events.
async fn events_are_deleted_after_their_retention_and_counted_until_then(store: TestStore) {
    let post = Harness::new(store);
    publish(&post, 0..5).await;
    assert_eq!(post.outbox.depth().await.unwrap().unrouted, 5);
    post.advance(89 * 86_400);
    publish(&post, 5..6).await;
    assert_eq!(post.outbox.purge().await.unwrap(), 0);
    post.advance(2 * 86_400);
    assert_eq!(post.outbox.purge().await.unwrap(), 5);
    assert_eq!(post.outbox.depth().await.unwrap().unrouted, 1);
}
