//! A gateway that hangs in the middle of a transaction with its connections open: a frozen or disconnected machine. To the
//! database it looks like a slow client, and its locks block others.

use std::{sync::Arc, time::Duration};

use medcredit::ledger::{Faults, Step};
use tokio::sync::Notify;

use super::UNLIMITED;
use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    block_on, order,
};

/// How long the others may have to wait.
const BOUND: Duration = Duration::from_secs(5);

/// Hangs at a step, the first time it is reached, until it is released.
fn hanging_at(step: Step) -> (Faults, Arc<Notify>, Arc<Notify>) {
    let (reached, resume) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (at_step, wait) = (reached.clone(), resume.clone());
    let once = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let faults = Faults::new(move |at| {
        // The first time only: a retry of the step must pass.
        let still = at == step && once.swap(false, std::sync::atomic::Ordering::SeqCst);
        let (at_step, wait) = (at_step.clone(), wait.clone());
        async move {
            if still {
                at_step.notify_one();
                wait.notified().await;
            }
            Ok(())
        }
    });
    (faults, reached, resume)
}

#[test]
fn a_hanging_sealer_is_replaced_within_five_seconds() {
    // A bank whose answers wait to be sealed by the other gateway.
    block_on(async {
        let (faults, reached, resume) = hanging_at(Step::SealCommit);
        let app = TestApp::start_breakable(TestStore::postgres().await, UNLIMITED, faults).await;
        let bank = app.bank("Bank A").await;
        let consent = app.consent(&bank, |_| {}).await;
        let token = bank.token().await;
        assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.status, 200);
        let first = app.app.sealer.clone();
        let standing = tokio::spawn(async move { first.seal_once().await });
        reached.notified().await;
        let beside = app.second_gateway("second", Faults::default()).await;
        let sealed = async {
            while medcredit::ledger::checkpoint(&app.store.db).await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(BOUND, sealed).await.expect("the second gateway seals");
        // The first continues: its transaction has been rolled back, so nothing is committed twice.
        resume.notify_one();
        assert!(!matches!(standing.await.unwrap(), Ok(Some(_))), "it sealed what the other had sealed");
        bank.get(&token, &Bank::data(&consent, "grade")).await;
        while app.app.sealer.seal_once().await.unwrap().is_some() {}
        beside.stop().await;
        order::leaves_are_one_tree(&app.store.db).await;
    });
}

#[test]
fn a_hanging_gateway_delays_a_revocation_by_five_seconds_at_most() {
    // A bank whose answer is about to be recorded while its gateway hangs; the subject revokes at the other. Where uses are
    // counted, the gateway hangs with locks, and loses them.
    block_on(revoked_meanwhile(Some(10), (503, "ledger_unavailable")));
    // Elsewhere it hangs with none: what it then records is compared when it wakes up.
    block_on(revoked_meanwhile(None, (403, "consent_not_active")));
}

async fn revoked_meanwhile(max_fetches: Option<i64>, refusal: (u16, &str)) {
    let (faults, reached, resume) = hanging_at(Step::Insert);
    let app = TestApp::start_breakable(TestStore::postgres().await, UNLIMITED, faults).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |wish| wish.max_fetches = max_fetches).await;
    let (token, path) = (bank.token().await, Bank::data(&consent, "grade"));
    let beside = app.second_gateway("second", Faults::default()).await;
    let (asking, asked, to) = (bank.clone(), token.clone(), path.clone());
    let waiting = tokio::spawn(async move { asking.get(&asked, &to).await });
    reached.notified().await;
    let id = consent.id.to_string();
    let actor = crate::support::decided_by("tester");
    let revoked = tokio::time::timeout(BOUND, beside.app.consents.revoke(&id, None, &actor)).await;
    revoked.expect("the revocation is acknowledged").unwrap();
    resume.notify_one();
    let reply = waiting.await.unwrap();
    assert_eq!(reply.refusal(), refusal);
    assert_eq!(order::recorded_under(&app.store.db, &id).await, 0);
    assert_eq!(bank.get(&token, &path).await.refusal(), (403, "consent_not_active"));
    beside.stop().await;
}
