//! Consents that end at midnight, overlap, or are withdrawn during a batch.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use medcredit::{
    consent::Consents,
    ledger::{Faults, Step},
};
use serde_json::json;

use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    both_engines,
};

const SECOND: Duration = Duration::from_secs(1);

both_engines! {
    a_consent_that_ends_at_midnight_is_valid_until_then,
    overlapping_consents_of_one_bank_are_independent,
    a_consent_withdrawn_while_a_batch_is_running_is_left_out,
}

/// A bank asks in the last second of a consent that ends at midnight, and in the first second after.
async fn a_consent_that_ends_at_midnight_is_valid_until_then(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    // From 09:00 to the city's midnight.
    app.advance(Duration::from_hours(15)).await;
    let consent = app.consent(&bank, |wish| wish.valid_for_days = Some(1)).await;
    assert_eq!(consent.expires_at.to_string(), "2026-04-02T16:00:00Z");
    app.advance(Duration::from_hours(24) - SECOND).await;
    let token = bank.token().await;
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.status, 200);
    app.advance(SECOND).await;
    let reply = bank.get(&token, &Bank::data(&consent, "grade")).await;
    assert_eq!(reply.refusal(), (403, "consent_not_active"));
    assert!(reply.json["detail"].as_str().unwrap().contains("expired"), "{:?}", reply.json);
}

/// A bank has two consents of one entity for the same codes: each has its own budget and its own end.
async fn overlapping_consents_of_one_bank_are_independent(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let first = app.consent(&bank, |wish| wish.max_fetches = Some(1)).await;
    let second = app.consent(&bank, |_| {}).await;
    let token = bank.token().await;
    for consent in [&first, &second] {
        let reply = bank.get(&token, &Bank::data(consent, "grade")).await;
        assert_eq!((reply.status, &reply.json["consent"]), (200, &json!(consent.id.to_string())));
    }
    // Use of one does not count against the other.
    assert_eq!(bank.get(&token, &Bank::data(&first, "grade")).await.refusal(), (429, "consent_used_up"));
    assert_eq!(bank.get(&token, &Bank::data(&second, "grade")).await.status, 200);
    app.app.consents.revoke(&first.id.to_string(), None, &crate::support::decided_by("tester")).await.unwrap();
    assert_eq!(bank.get(&token, &Bank::data(&first, "grade")).await.refusal(), (403, "consent_not_active"));
    assert_eq!(bank.get(&token, &Bank::data(&second, "grade")).await.status, 200);
    app.app.consents.revoke(&second.id.to_string(), None, &crate::support::decided_by("tester")).await.unwrap();
    assert_eq!(bank.get(&token, &Bank::data(&second, "grade")).await.refusal(), (403, "consent_not_active"));
}

/// An institution withdraws its consent while a bank's batch is running: its line is left out and not recorded as read;
/// the other lines are complete.
async fn a_consent_withdrawn_while_a_batch_is_running_is_left_out(store: TestStore) {
    type Withdrawing = Arc<Mutex<Option<(Consents, String)>>>;
    let withdrawing: Withdrawing = Arc::default();
    let armed = withdrawing.clone();
    let faults = Faults::new(move |step| {
        let now = if step == Step::Append { armed.lock().unwrap().take() } else { None };
        async move {
            if let Some((consents, id)) = now {
                consents.revoke(&id, None, &crate::support::decided_by("elsewhere")).await.unwrap();
            }
            Ok(())
        }
    });
    let app = TestApp::start_breakable(store, "", faults).await;
    let bank = app.bank("Bank A").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(app.consent(&bank, |_| {}).await.id.to_string());
    }
    let token = bank.token().await;
    *withdrawing.lock().unwrap() = Some((app.app.consents.clone(), ids[1].clone()));
    let wish = json!({ "month": "2026-02", "purpose": "pre_loan_review" });
    let reply = bank.post(&token, "/v1/deliveries", &wish).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    assert!(withdrawing.lock().unwrap().is_none(), "it was withdrawn during the batch");
    let body = String::from_utf8(reply.bytes).unwrap();
    let has = |id: &String| body.lines().any(|line| line.contains(id.as_str()));
    assert_eq!((has(&ids[0]), has(&ids[1]), has(&ids[2])), (true, false, true));
    let sql = "SELECT CAST(count(*) AS BIGINT) FROM ledger_openings o JOIN ledger_entries e ON e.id = o.entry_id WHERE e.type = 'disclosure' AND o.consent_id = $1";
    let (count,): (i64,) = app.store.db.read("test").fetch_one(sql, vec![ids[1].clone().into()]).await.unwrap();
    assert_eq!(count, 0, "nothing of it was released or recorded");
}
