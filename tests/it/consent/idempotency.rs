//! Requests that are sent twice and count once (M9, A7 no. 36).

use std::time::Duration;

use medcredit::{
    consent::{IdempotencyKey, NewConsent, Requested, ResponseUnderKey, StoredResponse},
    domain::{Failure, clock::Clock as _},
    ledger::Faults,
    store::idempotency,
};
use serde_json::{Value, json};

use crate::support::{
    TestStore,
    app::{Bank, ENTITY, HOSPITAL, Reply, TestApp},
    both_engines,
};

const KEY: &str = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"";

fn request_body(product: &str) -> Value {
    json!({ "uscc": ENTITY, "codes": [HOSPITAL], "permissions": ["grade"], "purposes": ["pre_loan_review"], "product": product })
}

async fn ask(bank: &Bank, token: &str, key: &str, body: &Value) -> Reply {
    let request = bank.http.post(bank.url("/v1/consents")).bearer_auth(token).header("idempotency-key", key);
    bank.send(request.json(body)).await
}

async fn count(app: &TestApp, bank: &Bank) -> usize {
    app.app.consents.list(bank.id, None, 200).await.unwrap().len()
}

/// Whether it was created by this very request.
fn fresh(reply: &Reply) -> bool {
    reply.status == 201 && !reply.headers.contains_key("idempotent-replayed")
}

both_engines! {
    the_same_request_again_has_the_same_answer,
    a_key_stands_for_one_request_of_one_bank,
    a_refusal_is_not_kept,
    after_a_day_a_key_is_new,
    parallel_requests_under_one_key_create_one,
    consent_and_stored_response_are_written_together_or_not_at_all,
}

/// A bank whose first answer was lost: the same bytes again, and nothing created.
async fn the_same_request_again_has_the_same_answer(store: TestStore) {
    let app = TestApp::start(store).await;
    // Only one may be pending: a repeated request does not count again.
    let bank = app.bank_with("Bank A", |new| new.max_pending = 1).await;
    let token = bank.token().await;
    let first = ask(&bank, &token, KEY, &request_body("a")).await;
    assert!(fresh(&first), "{:?}", first.json);
    app.advance(Duration::from_secs(60)).await;
    let again = ask(&bank, &token, KEY, &request_body("a")).await;
    assert_eq!((again.status, &again.bytes), (201, &first.bytes));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.headers["location"], first.headers["location"]);
    assert_ne!(
        again.headers["x-fapi-interaction-id"], first.headers["x-fapi-interaction-id"],
        "each request has its own id"
    );
    assert_eq!(count(&app, &bank).await, 1);
    // The replay is the response of that time, even if the consent has changed since.
    bank.delete(&token, &first.headers["location"]).await;
    let again = ask(&bank, &token, KEY, &request_body("a")).await;
    assert_eq!(again.json["status"], "pending");
}

/// A bank that takes an old key for a new request, and another bank with the same key.
async fn a_key_stands_for_one_request_of_one_bank(store: TestStore) {
    let app = TestApp::start(store).await;
    let (one, other) = (app.bank("Bank A").await, app.bank("Bank B").await);
    let (token, others) = (one.token().await, other.token().await);
    assert!(fresh(&ask(&one, &token, KEY, &request_body("a")).await));
    let reused = ask(&one, &token, KEY, &request_body("b")).await;
    assert_eq!(reused.refusal(), (422, "idempotency_key_reused"));
    assert!(fresh(&ask(&other, &others, KEY, &request_body("b")).await), "keys are each client's own");
    assert_eq!((count(&app, &one).await, count(&app, &other).await), (1, 1));
    // Without a key, twice is two.
    for _ in 0..2 {
        assert!(fresh(&one.post(&token, "/v1/consents", &request_body("a")).await));
    }
    assert_eq!(count(&app, &one).await, 3);
}

/// A bank that corrects a refused request under the same key; and malformed keys.
async fn a_refusal_is_not_kept(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let mut wrong = request_body("a");
    wrong["codes"] = json!([]);
    assert_eq!(ask(&bank, &token, KEY, &wrong).await.refusal(), (400, "invalid_request"));
    assert!(fresh(&ask(&bank, &token, KEY, &request_body("a")).await));
    for malformed in ["unquoted", "\"\"", &format!("\"{}\"", "x".repeat(41))] {
        assert_eq!(
            ask(&bank, &token, malformed, &request_body("b")).await.refusal(),
            (400, "idempotency_key_malformed"),
            "{malformed}"
        );
    }
    assert_eq!(count(&app, &bank).await, 1);
}

/// A bank that comes back with its key after the published day.
async fn after_a_day_a_key_is_new(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let asked_at = app.store.clock.now();
    assert!(fresh(&ask(&bank, &bank.token().await, KEY, &request_body("a")).await));
    app.advance(Duration::from_hours(24) - Duration::from_secs(1)).await;
    assert!(!fresh(&ask(&bank, &bank.token().await, KEY, &request_body("a")).await));
    app.advance(Duration::from_secs(2)).await;
    // Not tidied yet: time alone decides.
    assert!(fresh(&ask(&bank, &bank.token().await, KEY, &request_body("b")).await));
    assert_eq!(count(&app, &bank).await, 2);
    app.advance(Duration::from_hours(24) + Duration::from_mins(6)).await;
    app.app.tidy().await.unwrap();
    assert_eq!(app.app.consents.delete_expired_responses().await.unwrap(), 0, "the background task has deleted it");
    let key = IdempotencyKey { key: "x".into(), request: "y".into() };
    assert!(idempotency::find(&app.store.db, &bank.id.to_string(), &key.key, asked_at).await.unwrap().is_none());
}

/// A bank's software that sends all its requests concurrently, to one gateway and to two.
async fn parallel_requests_under_one_key_create_one(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank_with("Bank A", |new| new.max_pending = 100).await;
    let token = bank.token().await;
    let beside = app.second_gateway("other", Faults::default()).await;
    let there = bank.at(&beside.origin);
    let body = request_body("a");
    let mut created = 0;
    for round in 0..5 {
        let key = format!("\"round-{round}\"");
        let replies = futures_util::future::join_all((0..8).map(|at| {
            let bank = if at % 2 == 0 { &bank } else { &there };
            ask(bank, &token, &key, &body)
        }));
        let replies = replies.await;
        for reply in &replies {
            assert!(reply.status == 201 || reply.refusal() == (409, "idempotency_key_in_use"), "{:?}", reply.json);
        }
        assert_eq!(replies.iter().filter(|reply| fresh(reply)).count(), 1);
        created += 1;
        assert_eq!(count(&app, &bank).await, created);
        assert!(!fresh(&ask(&there, &token, &key, &body).await), "the other gateway knows it");
    }
    beside.stop().await;
}

/// A gateway that fails to make the response: neither consent nor response is stored.
async fn consent_and_stored_response_are_written_together_or_not_at_all(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let key = IdempotencyKey { key: "k".into(), request: "r".into() };
    let new: NewConsent = app.wish();
    let failing = ResponseUnderKey { key: &key, respond: &|_| Err(Failure::internal("no answer")) };
    app.app.consents.request_idempotent(bank.id, 10, &new, failing).await.unwrap_err();
    assert_eq!(count(&app, &bank).await, 0);
    let answer = |consent: &medcredit::consent::Consent| {
        Ok(StoredResponse { location: consent.id.to_string(), body: "b".into() })
    };
    let done = app
        .app
        .consents
        .request_idempotent(bank.id, 10, &new, ResponseUnderKey { key: &key, respond: &answer })
        .await
        .unwrap();
    let Requested::Created(kept) = done else { panic!("nothing was kept by the failure") };
    let again = app
        .app
        .consents
        .request_idempotent(bank.id, 10, &new, ResponseUnderKey { key: &key, respond: &answer })
        .await
        .unwrap();
    assert!(matches!(again, Requested::Replayed(before) if before == kept));
    assert_eq!(count(&app, &bank).await, 1);
}
