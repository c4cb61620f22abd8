//! Several workers with separate database handles.

use std::{collections::BTreeMap, sync::Arc};

use medcredit::outbox::{Outbox, Outcome, Policy, Receipt};

use super::Harness;
use crate::support::{TestStore, both_engines};

both_engines! {
    two_workers_never_lease_one_item_and_keep_every_key_in_order,
    positions_of_a_key_are_assigned_without_gaps,
}

/// Two workers empty one outbox.
async fn two_workers_never_lease_one_item_and_keep_every_key_in_order(store: TestStore) {
    let post = Arc::new(Harness::new(store));
    for nth in 0..120 {
        post.enqueue(if nth % 3 == 0 { "other" } else { "bank" }, &format!("H{}", nth % 11), &format!("{nth:04}"))
            .await;
    }
    let mut workers = Vec::new();
    for name in ["w1", "w2"] {
        let post = Arc::clone(&post);
        let db = post.store.reopen().await;
        let policy = Policy::default();
        let outbox =
            Outbox::new(medcredit::store::Env::new(db, post.store.clock.clone(), post.store.entropy.clone()), policy);
        workers.push(tokio::spawn(async move {
            let mut done = Vec::new();
            let mut idle = 0;
            while idle < 20 {
                let leases = outbox.claim(None, name, 3).await.unwrap();
                idle = if leases.is_empty() { idle + 1 } else { 0 };
                for lease in leases {
                    let what = (lease.target.clone(), lease.body.clone());
                    tokio::task::yield_now().await;
                    assert_eq!(lease.attempt, 1, "no other worker had it");
                    assert_eq!(outbox.delivered(lease, &Receipt::default()).await.unwrap(), Outcome::Delivered);
                    done.push(what);
                }
            }
            done
        }));
    }
    let mut by_worker = Vec::new();
    for worker in workers {
        by_worker.push(worker.await.unwrap());
    }
    let mut times = BTreeMap::<_, usize>::new();
    for (_, body) in by_worker.iter().flatten() {
        *times.entry(body.clone()).or_default() += 1;
    }
    // Items that both workers left are still there: none is lost and none is delivered twice.
    loop {
        let rest = post.claim("w3").await;
        if rest.is_empty() {
            break;
        }
        for lease in rest {
            *times.entry(lease.body.clone()).or_default() += 1;
            post.outbox.delivered(lease, &Receipt::default()).await.unwrap();
        }
    }
    assert_eq!(times.len(), 120);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    // Each worker gets the items of a key in order.
    for done in &by_worker {
        let mut last = BTreeMap::new();
        for (target, body) in done {
            let number: usize = body.parse().unwrap();
            let before = last.insert((target.clone(), number % 11), number);
            assert!(before.is_none_or(|before| before < number), "{target} {number}");
        }
    }
}

/// Two transactions enqueue for one key at the same moment.
async fn positions_of_a_key_are_assigned_without_gaps(store: TestStore) {
    let post = Arc::new(Harness::new(store));
    let mut enqueuing = Vec::new();
    for nth in 0..24 {
        let post = Arc::clone(&post);
        enqueuing.push(tokio::spawn(async move { post.enqueue("bank", "H1", &format!("{nth}")).await }));
    }
    for one in enqueuing {
        one.await.unwrap();
    }
    let positions: Vec<_> = post.items("bank").await.into_iter().map(|item| item.position).collect();
    assert_eq!(positions, (1..=24).collect::<Vec<_>>());
}
