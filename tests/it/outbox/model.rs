//! Random sequences of steps by workers, receivers, operators and the clock, compared with a small model.

use std::collections::BTreeMap;

use medcredit::{
    domain::Clock,
    outbox::{self, FailedAttempt, Lease, Outcome, Receipt},
};
use proptest::prelude::*;

use super::Harness;
use crate::support::{TestStore, block_on};

#[derive(Debug, Clone)]
enum Step {
    Enqueue {
        target: u8,
        key: u8,
    },
    Claim {
        most: u8,
    },
    Deliver {
        nth: usize,
    },
    Fail {
        nth: usize,
        permanent: bool,
    },
    /// A worker dies while it holds a lease.
    Forget {
        nth: usize,
    },
    Cancel {
        target: u8,
    },
    Redrive {
        nth: usize,
    },
    Pass {
        seconds: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2u8, 0..2u8).prop_map(|(target, key)| Step::Enqueue { target, key }),
        5 => (1..4u8).prop_map(|most| Step::Claim { most }),
        3 => any::<usize>().prop_map(|nth| Step::Deliver { nth }),
        3 => (any::<usize>(), proptest::bool::weighted(0.2)).prop_map(|(nth, permanent)| Step::Fail { nth, permanent }),
        1 => any::<usize>().prop_map(|nth| Step::Forget { nth }),
        1 => (0..2u8).prop_map(|target| Step::Cancel { target }),
        1 => any::<usize>().prop_map(|nth| Step::Redrive { nth }),
        4 => prop_oneof![Just(1), Just(5), Just(61), Just(400), Just(40_000)].prop_map(|seconds| Step::Pass { seconds }),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct ModelItem {
    target: u8,
    key: u8,
    open: bool,
    /// The end of the lease, if a worker has it.
    leased_until: Option<i64>,
    attempts: i64,
}

/// Checks every claim and every report against the model.
async fn run(steps: Vec<Step>) {
    let post = Harness::new(TestStore::sqlite().await);
    // By position in the list, which is the order of enqueuing.
    let mut items: Vec<(String, ModelItem)> = Vec::new();
    let mut leases: Vec<Lease> = Vec::new();
    let mut delivered = BTreeMap::<String, usize>::new();
    for (number, step) in steps.into_iter().enumerate() {
        let now = post.store.clock.now().micros();
        match step {
            Step::Enqueue { target, key } => {
                let id = post.enqueue(&format!("t{target}"), &format!("k{key}"), &format!("b{number}")).await;
                let item = ModelItem { target, key, open: true, leased_until: None, attempts: 0 };
                items.push((id.to_string(), item));
            }
            Step::Claim { most } => {
                let claimed = post.outbox.claim(None, "w", i64::from(most)).await.unwrap();
                assert!(claimed.len() <= usize::from(most));
                for lease in claimed {
                    let at = items.iter().position(|(id, _)| *id == lease.id.to_string()).unwrap();
                    let (target, key) = (items[at].1.target, items[at].1.key);
                    let earlier = items[..at].iter().find(|(_, k)| k.open && (k.target, k.key) == (target, key));
                    assert!(earlier.is_none(), "it overtook {earlier:?}");
                    let item = &mut items[at].1;
                    assert!(item.open, "delivered or cancelled");
                    assert!(item.leased_until.is_none_or(|until| until <= now), "leased to another worker");
                    item.attempts += 1;
                    assert_eq!(lease.attempt, item.attempts);
                    item.leased_until = Some(lease.until.micros());
                    leases.push(lease);
                }
            }
            Step::Deliver { nth } if !leases.is_empty() => {
                let lease = leases.remove(nth % leases.len());
                let id = lease.id.to_string();
                let attempt = lease.attempt;
                let item = &mut items.iter_mut().find(|(other, _)| *other == id).unwrap().1;
                let settled = post.outbox.delivered(lease, &Receipt::default()).await.unwrap();
                if item.open && item.attempts == attempt {
                    assert_eq!(settled, Outcome::Delivered);
                    (item.open, item.leased_until) = (false, None);
                    *delivered.entry(id).or_default() += 1;
                } else {
                    assert_eq!(settled, Outcome::LeaseLost);
                }
            }
            Step::Fail { nth, permanent } if !leases.is_empty() => {
                let lease = leases.remove(nth % leases.len());
                let (id, attempt) = (lease.id.to_string(), lease.attempt);
                let failed = FailedAttempt { permanent, ..FailedAttempt::default() };
                let settled = post.outbox.failed(lease, &failed).await.unwrap();
                let item = &mut items.iter_mut().find(|(other, _)| *other == id).unwrap().1;
                match settled {
                    Outcome::Retry(at) => assert!(!permanent && at.micros() >= now),
                    Outcome::Dead => {}
                    Outcome::LeaseLost => continue,
                    Outcome::Delivered => panic!("a failure delivered"),
                }
                assert!(item.open && item.attempts == attempt);
                item.leased_until = None;
            }
            Step::Forget { nth } if !leases.is_empty() => drop(leases.remove(nth % leases.len())),
            Step::Cancel { target } => {
                let mut tx = post.store.db.begin("test").await.unwrap();
                let cancelled = outbox::cancel(&mut tx, &format!("t{target}"), post.store.clock.now()).await.unwrap();
                tx.commit().await.unwrap();
                let open = items.iter_mut().filter(|(_, item)| item.target == target && item.open);
                let mut count = 0;
                for (_, item) in open {
                    (item.open, item.leased_until) = (false, None);
                    count += 1;
                }
                assert_eq!(cancelled, count);
            }
            Step::Redrive { nth } if !items.is_empty() => {
                let at = nth % items.len();
                let mut tx = post.store.db.begin("test").await.unwrap();
                let id = items[at].0.parse().unwrap();
                let dead = post.items(&format!("t{}", items[at].1.target)).await;
                let dead = dead.iter().any(|item| item.id == items[at].0 && item.state == "dead");
                let redriven = outbox::redrive(&mut tx, id, post.store.clock.now()).await;
                assert_eq!(redriven.is_ok(), dead);
                tx.commit().await.unwrap();
            }
            Step::Pass { seconds } => post.advance(u64::from(seconds)),
            _ => {}
        }
        let depth = post.outbox.depth().await.unwrap();
        let open = items.iter().filter(|(_, item)| item.open).count();
        assert_eq!(depth.queued + depth.leased + depth.retry + depth.dead, u64::try_from(open).unwrap());
    }
    assert!(delivered.values().all(|times| *times == 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn in_any_sequence_no_item_overtakes_is_leased_twice_or_gets_lost(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        block_on(run(steps));
    }
}
