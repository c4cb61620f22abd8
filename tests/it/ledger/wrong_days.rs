//! A clock that is three days ahead counts answers on a day that has not come. `verify` explains what follows, and finds what
//! somebody changes then.

use std::time::Duration;

use medcredit::{
    authority::local_ca,
    domain::{Clock, clock_trust::offset_of},
    ledger::{
        log_keys,
        verify::{Report, StateCheck, Target, verify_after},
    },
};

use super::vandal::vandalise_store;
use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    both_engines,
};

both_engines! {
    a_day_that_a_wrong_clock_counted_on_is_no_tampering,
}

/// Sets the clock by hours; the gateway believes it, as one does that runs alone on the machine of its database.
async fn set_by(app: &TestApp, hours: i64) {
    let clock = &app.store.clock;
    clock.set(clock.now().moved_by(hours * 3_600_000_000));
    app.app.env.clock_trust.agrees(offset_of(&**clock), Duration::from_secs(5));
    // Otherwise the authority's list would be outdated, or of the future.
    local_ca::renew_list(app.custody()).await.unwrap();
    app.app.reloader.refresh().await.unwrap();
}

async fn verify(app: &TestApp) -> Report {
    while app.app.sealer.seal_once().await.unwrap().is_some() {}
    let origin = app.app.config.ledger.origin(&app.app.config.gateway.public_origin);
    let keys = log_keys(&app.app.keys.load().log);
    let target = Target { db: &app.app.env.db, origin: &origin, keys: &keys, checkpoint_file: None };
    let check = StateCheck { now: app.store.clock.now(), sealed_within: app.app.config.ledger.sealed_within() };
    verify_after(target, None, Some(check), &|_, _| {}).await.unwrap()
}

/// A bank uses a day's budget while the clock is ahead, and asks once more when it is right; an attacker then gives the budget
/// back.
async fn a_day_that_a_wrong_clock_counted_on_is_no_tampering(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let (limited, other) =
        (app.consent(&bank, |wish| wish.daily_budget = Some(2)).await, app.consent(&bank, |_| {}).await);
    let (path, elsewhere) = (Bank::data(&limited, "grade"), Bank::data(&other, "grade"));
    set_by(&app, 72).await;
    let token = bank.token().await;
    for _ in 0..2 {
        assert_eq!(bank.get(&token, &path).await.status, 200);
    }
    set_by(&app, -72).await;
    let token = bank.token().await;
    assert_eq!(bank.get(&token, &path).await.refusal(), (429, "consent_daily_budget_used_up"));
    // What shows that the clock was wrong: an entry of today after one of a later day.
    assert_eq!(bank.get(&token, &elsewhere).await.status, 200);
    let report = verify(&app).await;
    assert!(report.sound() && report.state_was_compared, "{report}");
    vandalise_store(&app.store, &format!("UPDATE consent_use SET used_today = 0 WHERE consent_id = '{}'", limited.id))
        .await;
    let report = verify(&app).await.to_string();
    assert!(report.contains("0 answers are counted for its last day, and the ledger has 2 on 2026-04-04"), "{report}");
}
