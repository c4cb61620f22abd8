//! Deliveries during which something ends, changes or fails (I1, I2).

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use medcredit::{
    access,
    ledger::{Faults, Step},
    store::DbError,
};

use super::{Page, SMALL_PAGES, ask, deliver, entries, request_body};
use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    both_engines,
};

type Happening = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<(), DbError>> + Send>> + Send>;

/// The event to inject, and at which occurrence of which step.
#[derive(Clone, Default)]
struct Fate(Arc<Mutex<Option<(Step, usize, Happening)>>>);

impl Fate {
    fn faults(&self) -> Faults {
        let fate = self.0.clone();
        Faults::new(move |step| {
            let mut fate = fate.lock().unwrap();
            let now = match &mut *fate {
                Some((at, coming, _)) if *at == step => {
                    *coming -= 1;
                    *coming == 0
                }
                _ => false,
            };
            let happening = if now { fate.take().map(|(_, _, happening)| happening()) } else { None };
            async move {
                match happening {
                    Some(happening) => happening.await,
                    None => Ok(()),
                }
            }
        })
    }

    /// At the given occurrence of a step, counted from 1.
    fn arm<F>(&self, step: Step, coming: usize, happening: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<(), DbError>> + Send + 'static,
    {
        *self.0.lock().unwrap() = Some((step, coming, Box::new(move || Box::pin(happening()))));
    }

    fn happened(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }
}

/// A gateway with injected faults, a bank, and some consents.
async fn setup(store: TestStore, consents: usize) -> (Fate, TestApp, Bank, Vec<String>) {
    let fate = Fate::default();
    let app = TestApp::start_breakable(store, SMALL_PAGES, fate.faults()).await;
    let bank = app.bank("Bank A").await;
    let mut ids = Vec::new();
    for _ in 0..consents {
        ids.push(app.consent(&bank, |_| {}).await.id.to_string());
    }
    (fate, app, bank, ids)
}

fn pulled() -> DbError {
    DbError::Setup("the test pulled the plug".into())
}

both_engines! {
    a_consent_that_ends_during_the_page_has_no_line,
    what_changes_during_the_page_is_read_once_more,
    a_bank_that_is_suspended_during_the_page_receives_nothing,
    a_ledger_that_fails_for_any_line_gives_no_page,
    a_page_that_conflicts_with_another_transaction_is_recorded_once,
    concurrent_pages_do_not_disturb_each_other,
}

/// A bank whose consent is revoked after its line was rendered and before it was recorded: it has no line (I2).
async fn a_consent_that_ends_during_the_page_has_no_line(store: TestStore) {
    let (fate, app, bank, ids) = setup(store, 5).await;
    let token = bank.token().await;
    let (consents, ended) = (app.app.consents.clone(), ids[2].clone());
    fate.arm(Step::Append, 1, move || async move {
        consents.revoke(&ended, None, &crate::support::decided_by("tester")).await.unwrap();
        Ok(())
    });
    let page = deliver(&bank, &token, &request_body()).await;
    assert!(fate.happened());
    assert_eq!(page.counts(), (4, 1));
    assert!(!page.consents().contains(&ids[2].as_str()));
    let sql = "SELECT CAST(count(*) AS BIGINT) FROM ledger_openings o JOIN ledger_entries e ON e.id = o.entry_id WHERE e.type = 'disclosure' AND o.consent_id = $1";
    let (count,): (i64,) = app.store.db.read("test").fetch_one(sql, vec![ids[2].clone().into()]).await.unwrap();
    assert_eq!(count, 0, "what was rendered was never recorded");
}

/// A bank, while a round is published in the middle of its page: every line is read and rendered once more.
async fn what_changes_during_the_page_is_read_once_more(store: TestStore) {
    let (fate, app, bank, _) = setup(store, 5).await;
    let token = bank.token().await;
    let publish = |db: medcredit::store::Db| async move {
        let mut tx = db.begin("test").await.unwrap();
        tx.execute("UPDATE publication SET number = number + 1", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        Ok(())
    };
    let db = app.store.db.clone();
    fate.arm(Step::Append, 1, move || publish(db));
    assert_eq!(deliver(&bank, &token, &request_body()).await.counts(), (5, 0));
    assert!(fate.happened());
    assert_eq!(entries(&app, "disclosure").await, 5);
}

/// A bank that is suspended when its lines are recorded and its page is not: it receives nothing (I3).
async fn a_bank_that_is_suspended_during_the_page_receives_nothing(store: TestStore) {
    let (fate, app, bank, _) = setup(store, 5).await;
    let token = bank.token().await;
    let (parts, id) = (app.app.clone(), bank.id);
    fate.arm(Step::Render, 1, move || async move {
        access::suspend(&parts.env, crate::support::tester(), None, &id).await.unwrap();
        Ok(())
    });
    let refused = ask(&bank, &token, &request_body()).await;
    assert!(fate.happened());
    assert_eq!(refused.refusal(), (401, "invalid_token"));
    crate::faults::fixture::holds_no_data(&refused);
    // Its lines were recorded before the suspension: over-recording is safe.
    assert_eq!((entries(&app, "disclosure").await, entries(&app, "delivery").await), (5, 0));
}

/// A bank whose page meets a ledger that fails: at the first lines, at later ones, at the page's own entry, before and
/// after a commit. It receives nothing, and its next request gets a complete page (I1).
async fn a_ledger_that_fails_for_any_line_gives_no_page(store: TestStore) {
    let (fate, app, bank, _) = setup(store, 70).await;
    let token = bank.token().await;
    let cases = [
        (Step::Permit, 1, "store_unavailable"),
        (Step::Read, 1, "store_unavailable"),
        (Step::Append, 1, "store_unavailable"),
        (Step::Begin, 1, "ledger_unavailable"),
        (Step::Insert, 1, "ledger_unavailable"),
        (Step::Commit, 1, "ledger_unavailable"),
        (Step::Committed, 1, "ledger_unavailable"),
        (Step::Render, 1, "store_unavailable"),
        (Step::Release, 1, "store_unavailable"),
    ];
    for (step, coming, _) in cases {
        fate.arm(step, coming, || async { Err(pulled()) });
        let reply = ask(&bank, &token, &request_body()).await;
        assert!(fate.happened(), "{step:?}");
        assert!(reply.status >= 500, "{step:?}: {}", reply.status);
        crate::faults::fixture::holds_no_data(&reply);
    }
    // The page's own entry: the lines before it are committed.
    let commits = Arc::new(Mutex::new(0));
    for step in [Step::Lock, Step::Insert, Step::Commit, Step::Committed] {
        let (before, of_pages) = (entries(&app, "disclosure").await, entries(&app, "delivery").await);
        // Armed when the lines are done: the next coming is the page's.
        let (inner, counted) = (fate.clone(), commits.clone());
        fate.arm(Step::Render, 1, move || async move {
            *counted.lock().unwrap() += 1;
            inner.arm(step, 1, || async { Err(pulled()) });
            Ok(())
        });
        let reply = ask(&bank, &token, &request_body()).await;
        assert!(fate.happened(), "{step:?}");
        assert_eq!(reply.refusal(), (503, "ledger_unavailable"), "{step:?}");
        crate::faults::fixture::holds_no_data(&reply);
        assert_eq!(entries(&app, "disclosure").await, before + 70, "{step:?}");
        assert_eq!(entries(&app, "delivery").await, of_pages + i64::from(step == Step::Committed), "{step:?}");
    }
    assert_eq!(*commits.lock().unwrap(), 4);
    assert_eq!(deliver(&bank, &token, &request_body()).await.counts(), (70, 0));
}

/// A page whose own entry conflicts with another transaction is recorded at the next attempt, once.
async fn a_page_that_conflicts_with_another_transaction_is_recorded_once(store: TestStore) {
    let (fate, app, bank, _) = setup(store, 1).await;
    let token = bank.token().await;
    let inner = fate.clone();
    fate.arm(Step::Render, 1, move || async move {
        inner.arm(Step::Insert, 1, || async { Err(DbError::Contention { operation: "test" }) });
        Ok(())
    });
    let page = Page::of(ask(&bank, &token, &request_body()).await);
    assert!(fate.happened());
    assert_eq!((page.counts(), entries(&app, "delivery").await), ((1, 0), 1));
}

/// A bank with two concurrent pages: each is complete, and budgets are exact.
async fn concurrent_pages_do_not_disturb_each_other(store: TestStore) {
    let (_, app, bank, _) = setup(store, 20).await;
    let token = bank.token().await;
    let once = app.consent(&bank, |new| new.max_fetches = Some(3)).await;
    let body = request_body();
    let pages = futures_util::future::join_all((0..6).map(|_| deliver(&bank, &token, &body))).await;
    let with_it = pages.iter().filter(|page| page.consents().contains(&once.id.to_string().as_str())).count();
    assert_eq!(with_it, 3);
    for page in &pages {
        let (lines, refused) = page.counts();
        assert!(lines >= 20 && u64::try_from(lines).unwrap() + refused == 21, "{lines} {refused}");
    }
}
