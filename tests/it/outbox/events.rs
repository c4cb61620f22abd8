//! Events: written with what caused them, found by who routes them, forgotten in the end.

use medcredit::{
    domain::Clock,
    outbox::{Event, EventBatch, routed},
};
use serde::Serialize;

use super::Post;
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

async fn publish(post: &Post, numbers: std::ops::Range<i64>) {
    let mut batch = EventBatch::new();
    for version in numbers {
        let event = Moved { code: format!("H{}", version % 7), version };
        batch.add((&*post.store.clock, &*post.store.entropy), &event).unwrap();
    }
    let mut tx = post.store.db.begin("test").await.unwrap();
    batch.write(&mut tx, post.store.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

both_engines! {
    events_are_routed_once_and_none_is_passed_over,
    events_are_forgotten_after_their_time_and_counted_until_then,
}

/// A change is told once, whoever commits first.
async fn events_are_routed_once_and_none_is_passed_over(store: TestStore) {
    let post = Post::new(store);
    publish(&post, 0..2_500).await;
    // A transaction that began earlier and commits later is not behind anybody's position.
    let late = {
        let mut batch = EventBatch::new();
        let event = Moved { code: "H9".into(), version: 9_999 };
        batch.add((&*post.store.clock, &*post.store.entropy), &event).unwrap();
        batch
    };
    let began = post.store.clock.now();
    post.advance(10);
    let first = post.outbox.unrouted(10_000).await.unwrap();
    assert_eq!(first.len(), 2_500);
    assert!(first.iter().all(|event| event.topic == "subject.moved" && event.at == began));
    let ids: Vec<_> = first.iter().map(|event| event.id).collect();
    let mut tx = post.store.db.begin("test").await.unwrap();
    assert!(routed(&mut tx, &ids, post.store.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = post.store.db.begin("test").await.unwrap();
    late.write(&mut tx, began).await.unwrap();
    tx.commit().await.unwrap();
    let second = post.outbox.unrouted(10_000).await.unwrap();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].body, r#"{"code":"H9","version":9999}"#);
    let mut tx = post.store.db.begin("test").await.unwrap();
    assert!(!routed(&mut tx, &ids[..1], post.store.clock.now()).await.unwrap(), "another router was first");
}

/// Nobody ever asks for them.
async fn events_are_forgotten_after_their_time_and_counted_until_then(store: TestStore) {
    let post = Post::new(store);
    publish(&post, 0..5).await;
    assert_eq!(post.outbox.depth().await.unwrap().unrouted, 5);
    post.advance(89 * 86_400);
    publish(&post, 5..6).await;
    assert_eq!(post.outbox.tidy().await.unwrap(), 0);
    post.advance(2 * 86_400);
    assert_eq!(post.outbox.tidy().await.unwrap(), 5);
    assert_eq!(post.outbox.depth().await.unwrap().unrouted, 1);
}
