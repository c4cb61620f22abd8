//! Locks after attempts that failed.

use std::time::Duration;

use medcredit::{domain::Clock as _, principals::SignInError};

use super::{Bureau, PASSWORD, is_refused};
use crate::support::{TestStore, both_engines, tester};

both_engines! {
    five_failures_lock_a_name_for_a_minute_and_each_further_one_for_twice_as_long,
    a_name_without_an_operator_is_locked_like_any_other,
    parallel_attempts_are_no_more_than_the_limit,
    a_sign_in_forgets_the_failures_before_it,
    a_lock_survives_a_restart_and_a_reset_ends_it,
}

async fn fail(bureau: &Bureau, name: &str, times: usize) {
    for at in 0..times {
        assert!(is_refused(&bureau.attempt(name, "a wrong password", "000000").await), "{at}");
    }
}

async fn locked_for(bureau: &Bureau, name: &str) -> Option<Duration> {
    match bureau.attempt(name, "a wrong password", "000000").await {
        Err(SignInError::LockedUntil(until)) => Some(until.since(bureau.store.clock.now())),
        _ => None,
    }
}

/// Somebody who guesses passwords.
async fn five_failures_lock_a_name_for_a_minute_and_each_further_one_for_twice_as_long(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    fail(&bureau, "lin", 5).await;
    let mut minutes = Vec::new();
    for _ in 0..8 {
        let lock = locked_for(&bureau, "lin").await.unwrap();
        minutes.push(lock.as_secs() / 60);
        let right = bureau.attempt("lin", PASSWORD, &bureau.code_of(&lin)).await;
        assert!(matches!(right, Err(SignInError::LockedUntil(_))), "what is right is not examined either");
        bureau.store.clock.advance(lock);
        fail(&bureau, "lin", 1).await;
    }
    assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(bureau.count("sign_in_locked").await, 9, "attempts during a lock are no entries");
    bureau.pass(3600);
    assert!(bureau.sign_in(&lin).await.is_ok());
}

/// Somebody in search of the names of operators.
async fn a_name_without_an_operator_is_locked_like_any_other(store: TestStore) {
    let bureau = Bureau::new(store);
    fail(&bureau, "nobody", 5).await;
    assert_eq!(locked_for(&bureau, "NOBODY").await, Some(Duration::from_secs(60)));
    assert!(bureau.entries().await.is_empty(), "but nobody fills the ledger");
    bureau.pass(24 * 3600 + 1);
    fail(&bureau, "nobody", 4).await;
}

/// Twenty guesses arrive at the same time.
async fn parallel_attempts_are_no_more_than_the_limit(store: TestStore) {
    let bureau = Bureau::new(store);
    let _lin = bureau.enrolled("lin", &["read_only"]).await;
    let attempts = (0..20).map(|_| {
        let principals = bureau.principals.clone();
        tokio::spawn(async move { principals.sign_in("lin", "a wrong password", "000000", &super::visit()).await })
    });
    let attempts: Vec<_> = attempts.collect();
    let mut examined = 0;
    for attempt in attempts {
        examined += usize::from(is_refused(&attempt.await.unwrap()));
    }
    assert_eq!(examined, 5);
    assert_eq!(bureau.count("sign_in_locked").await, 1);
}

/// An operator who mistypes now and then.
async fn a_sign_in_forgets_the_failures_before_it(store: TestStore) {
    let bureau = Bureau::new(store);
    let lin = bureau.enrolled("lin", &["read_only"]).await;
    for _ in 0..3 {
        fail(&bureau, "lin", 4).await;
        bureau.sign_in(&lin).await.unwrap();
        bureau.pass(30);
    }
    assert_eq!(bureau.count("sign_in_locked").await, 0);
}

/// The gateway is started again during a lock.
async fn a_lock_survives_a_restart_and_a_reset_ends_it(store: TestStore) {
    let bureau = Bureau::new(store);
    bureau.enrolled("lin", &["read_only"]).await;
    fail(&bureau, "lin", 5).await;
    let again = bureau.reopened(bureau.store.reopen().await);
    let attempt = again.sign_in("lin", PASSWORD, "000000", &super::visit()).await;
    assert!(matches!(attempt, Err(SignInError::LockedUntil(_))));
    let invited = bureau.principals.reset(tester(), "lin", None).await.unwrap();
    let lin = bureau.enrol("lin", &super::token_of(&invited.link)).await;
    assert!(bureau.sign_in(&lin).await.is_ok());
}
