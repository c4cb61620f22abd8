//! The life cycle of an item, from its cause to its receipt.

use std::time::Duration;

use medcredit::{
    domain::Clock,
    outbox::{self, Depth, FailedAttempt, NewItem, Outcome, Receipt},
};

use super::Harness;
use crate::support::{TestStore, both_engines};

fn receipt(number: &str) -> Receipt {
    Receipt { status: Some(200), number: Some(number.into()), ..Receipt::default() }
}

both_engines! {
    an_item_is_rolled_back_with_its_cause,
    the_same_item_is_enqueued_once,
    a_delivered_item_has_its_receipt_and_is_never_claimed_again,
    an_item_is_retried_by_the_schedule_under_one_id_and_then_given_up,
    a_requested_wait_and_a_permanent_refusal_are_respected,
    an_item_of_a_dead_worker_is_claimed_by_another,
    a_delivery_reported_after_the_lease_counts,
    an_item_that_crashes_its_workers_is_given_up,
    a_later_item_never_overtakes_an_earlier_one_of_its_key,
    a_removed_target_gets_nothing_more,
    waiting_items_are_counted_with_the_age_of_the_oldest,
}

/// A change that is rolled back sends nothing (I6).
async fn an_item_is_rolled_back_with_its_cause(store: TestStore) {
    let post = Harness::new(store);
    let mut tx = post.store.db.begin("test").await.unwrap();
    let item = NewItem { topic: "a.b", target: "bank", ordering_key: "k", idempotency: "1", body: "{}" };
    outbox::enqueue(&mut tx, &post.store.env(), item).await.unwrap();
    drop(tx);
    assert!(post.claim("w").await.is_empty());
    assert!(post.items("bank").await.is_empty());
}

/// A caller retries its own change.
async fn the_same_item_is_enqueued_once(store: TestStore) {
    let post = Harness::new(store);
    let first = post.enqueue("bank", "H1", "one").await;
    assert_eq!(post.enqueue("bank", "H1", "one").await, first);
    assert_ne!(post.enqueue("other bank", "H1", "one").await, first);
    assert_eq!(post.items("bank").await.len(), 1);
}

/// A worker delivers, and the receipt is kept with the attempt.
async fn a_delivered_item_has_its_receipt_and_is_never_claimed_again(store: TestStore) {
    let post = Harness::new(store);
    let id = post.enqueue("bank", "H1", "one").await;
    let mut leases = post.claim("w1").await;
    assert_eq!((leases.len(), leases[0].id, leases[0].attempt), (1, id, 1));
    assert!(post.claim("w2").await.is_empty(), "it is leased");
    assert_eq!(post.outbox.delivered(leases.remove(0), &receipt("R-17")).await.unwrap(), Outcome::Delivered);
    post.advance(1_000_000);
    assert!(post.claim("w2").await.is_empty());
    let attempts = post.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        (attempts[0].owner.as_str(), attempts[0].outcome.as_str(), attempts[0].status),
        ("w1", "delivered", Some(200))
    );
    assert!(attempts[0].receipt.as_deref().unwrap().contains("R-17"));
}

/// A receiver that fails each time.
async fn an_item_is_retried_by_the_schedule_under_one_id_and_then_given_up(store: TestStore) {
    let post = Harness::new(store);
    let id = post.enqueue("bank", "H1", "one").await;
    for (nth, wait) in [(1, 5), (2, 300), (3, 1_800), (4, 7_200), (5, 18_000), (6, 36_000), (7, 36_000), (8, 0)] {
        let lease = post.claim("w").await.remove(0);
        assert_eq!((lease.id, lease.attempt), (id, nth));
        let failed = FailedAttempt { reason: "timeout", ..FailedAttempt::default() };
        let settled = post.outbox.failed(lease, &failed).await.unwrap();
        if nth == 8 {
            assert_eq!(settled, Outcome::Dead);
        } else {
            assert_eq!(settled, Outcome::Retry(post.store.clock.now().plus(Duration::from_secs(wait))));
            post.advance(wait - 1);
            assert!(post.claim("w").await.is_empty(), "not before it is due");
            post.advance(1);
        }
    }
    post.advance(1_000_000);
    assert!(post.claim("w").await.is_empty());
    assert_eq!(post.outbox.depth().await.unwrap().dead, 1);
    assert!(post.attempts(id).await.iter().all(|attempt| attempt.outcome == "timeout" && attempt.ended_at.is_some()));
    // An operator redrives it: the schedule begins again.
    let mut tx = post.store.db.begin("test").await.unwrap();
    outbox::redrive(&mut tx, id, post.store.clock.now()).await.unwrap();
    assert_eq!(outbox::redrive(&mut tx, id, post.store.clock.now()).await.unwrap_err().code, "item_not_dead");
    tx.commit().await.unwrap();
    let lease = post.claim("w").await.remove(0);
    assert_eq!((lease.id, lease.attempt), (id, 9));
    assert!(matches!(post.outbox.failed(lease, &FailedAttempt::default()).await.unwrap(), Outcome::Retry(_)));
}

/// A receiver that requests a wait, and one that refuses for good.
async fn a_requested_wait_and_a_permanent_refusal_are_respected(store: TestStore) {
    let post = Harness::new(store);
    post.enqueue("bank", "H1", "one").await;
    let lease = post.claim("w").await.remove(0);
    let wait = Some(Duration::from_hours(3));
    let settled =
        post.outbox.failed(lease, &FailedAttempt { retry_after: wait, ..FailedAttempt::default() }).await.unwrap();
    assert_eq!(settled, Outcome::Retry(post.store.clock.now().plus(Duration::from_hours(3))));
    post.advance(3 * 3600);
    let lease = post.claim("w").await.remove(0);
    let settled =
        post.outbox.failed(lease, &FailedAttempt { permanent: true, ..FailedAttempt::default() }).await.unwrap();
    assert_eq!(settled, Outcome::Dead);
}

/// A worker dies while it holds a lease.
async fn an_item_of_a_dead_worker_is_claimed_by_another(store: TestStore) {
    let post = Harness::new(store);
    let id = post.enqueue("bank", "H1", "one").await;
    let lost = post.claim("w1").await.remove(0);
    post.advance(59);
    assert!(post.claim("w2").await.is_empty(), "the lease is valid");
    post.advance(1);
    let lease = post.claim("w2").await.remove(0);
    assert_eq!((lease.id, lease.attempt), (id, 2));
    // The first worker was not dead after all: its report is recorded, and the second keeps the lease.
    assert_eq!(post.outbox.delivered(lost, &receipt("R-1")).await.unwrap(), Outcome::LeaseLost);
    assert_eq!(post.state("bank").await, ["leased"]);
    let outcomes: Vec<_> = post.attempts(id).await.into_iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, ["delivered", "running"]);
    assert_eq!(post.outbox.delivered(lease, &receipt("R-1")).await.unwrap(), Outcome::Delivered);
}

/// A worker is slow, and no other one has started.
async fn a_delivery_reported_after_the_lease_counts(store: TestStore) {
    let post = Harness::new(store);
    post.enqueue("bank", "H1", "one").await;
    let lease = post.claim("w1").await.remove(0);
    post.advance(3600);
    assert_eq!(post.outbox.delivered(lease, &receipt("R-1")).await.unwrap(), Outcome::Delivered);
}

/// A poisoned item kills every worker that takes it.
async fn an_item_that_crashes_its_workers_is_given_up(store: TestStore) {
    let post = Harness::new(store);
    post.enqueue("bank", "H1", "one").await;
    for _ in 0..8 {
        assert_eq!(post.claim("w").await.len(), 1);
        post.advance(61);
    }
    assert!(post.claim("w").await.is_empty());
    assert_eq!(post.state("bank").await, ["dead"]);
}

/// A correction waits for what it corrects, however long that takes; others do not wait for either.
async fn a_later_item_never_overtakes_an_earlier_one_of_its_key(store: TestStore) {
    let post = Harness::new(store);
    for (target, key, body) in
        [("bank", "H1", "original"), ("bank", "H1", "correction"), ("bank", "H2", "else"), ("other", "H1", "other")]
    {
        post.enqueue(target, key, body).await;
        post.advance(1);
    }
    let mut leases = post.claim("w").await;
    let mut bodies: Vec<_> = leases.iter().map(|lease| lease.body.as_str()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["else", "original", "other"]);
    let at = leases.iter().position(|lease| lease.body == "original").unwrap();
    let original = leases.remove(at);
    post.outbox.failed(original, &FailedAttempt::default()).await.unwrap();
    assert!(post.claim("w").await.is_empty(), "the correction waits for the next try");
    post.advance(5);
    let original = post.claim("w").await.remove(0);
    post.outbox.failed(original, &FailedAttempt { permanent: true, ..FailedAttempt::default() }).await.unwrap();
    assert!(post.claim("w").await.is_empty(), "given up is not delivered");
    let mut tx = post.store.db.begin("test").await.unwrap();
    outbox::cancel(&mut tx, "other", post.store.clock.now()).await.unwrap();
    let dead = post.items("bank").await.into_iter().find(|item| item.state == "dead").unwrap();
    outbox::redrive(&mut tx, dead.id.parse().unwrap(), post.store.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    let original = post.claim("w").await.remove(0);
    assert_eq!(original.body, "original");
    post.outbox.delivered(original, &Receipt::default()).await.unwrap();
    assert_eq!(post.claim("w").await.remove(0).body, "correction");
}

/// A target is gone.
async fn a_removed_target_gets_nothing_more(store: TestStore) {
    let post = Harness::new(store);
    let under_way = post.enqueue("bank", "H1", "one").await;
    post.enqueue("bank", "H1", "two").await;
    post.enqueue("other", "H1", "three").await;
    let leases = post.claim("w").await;
    let mut tx = post.store.db.begin("test").await.unwrap();
    assert_eq!(outbox::cancel(&mut tx, "bank", post.store.clock.now()).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(post.state("bank").await, ["cancelled", "cancelled"]);
    for lease in leases {
        let expected = if lease.id == under_way { Outcome::LeaseLost } else { Outcome::Delivered };
        assert_eq!(post.outbox.delivered(lease, &receipt("R-2")).await.unwrap(), expected);
    }
    assert_eq!(post.attempts(under_way).await[0].outcome, "delivered", "the receipt is kept all the same");
    assert_eq!(post.state("bank").await, ["cancelled", "cancelled"]);
    post.advance(1_000_000);
    assert!(post.claim("w").await.is_empty());
}

/// An operator watches how much waits.
async fn waiting_items_are_counted_with_the_age_of_the_oldest(store: TestStore) {
    let post = Harness::new(store);
    assert_eq!(post.outbox.depth().await.unwrap(), Depth::default());
    post.enqueue("bank", "H1", "one").await;
    post.advance(30);
    post.enqueue("bank", "H2", "two").await;
    post.enqueue("bank", "H3", "three").await;
    let lease = post.outbox.claim(None, "w", 1).await.unwrap().remove(0);
    post.outbox.failed(lease, &FailedAttempt::default()).await.unwrap();
    let held = post.outbox.claim(None, "w", 1).await.unwrap();
    let depth = post.outbox.depth().await.unwrap();
    assert_eq!((depth.queued, depth.leased, depth.retry, depth.dead), (1, 1, 1, 0));
    assert_eq!(depth.oldest_seconds, 30);
    drop(held);
}
