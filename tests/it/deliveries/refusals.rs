//! Deliveries that are refused before anything is read.

use serde_json::{Value, json};

use super::{Page, SMALL_PAGES, ask, deliver, entries, request_body};
use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    both_engines,
};

async fn with_scopes(bank: &Bank, scopes: &str) -> String {
    let reply = bank.form("/oauth2/token", &[("grant_type", "client_credentials"), ("scope", scopes)]).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    reply.json["access_token"].as_str().unwrap().to_owned()
}

both_engines! {
    a_malformed_request_gets_the_position_of_the_error,
    a_cursor_is_valid_for_its_own_delivery_only,
    a_token_needs_the_scopes_of_what_it_delivers,
    pages_have_a_limit_of_their_own,
    an_idempotency_key_replays_nothing,
}

/// A bank whose request is malformed or impossible.
async fn a_malformed_request_gets_the_position_of_the_error(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    app.consent(&bank, |_| {}).await;
    let with = |name: &str, value: Value| {
        let mut body = request_body();
        body[name] = value;
        body
    };
    let malformed = [
        json!({}),
        json!({ "month": "2026-02" }),
        json!({ "purpose": "pre_loan_review" }),
        json!([]),
        with("month", "2026-13".into()),
        with("month", "2026-2".into()),
        with("month", "February".into()),
        with("month", 202_602.into()),
        with("purpose", "marketing".into()),
        with("what", json!([])),
        with("what", json!(["account_match"])),
        with("what", "grade".into()),
        with("before", "x".into()),
    ];
    for body in malformed {
        assert_eq!(ask(&bank, &token, &body).await.refusal(), (400, "invalid_request"), "{body}");
    }
    for cursor in ["", "x", "con_06fzgv9a41wdkxs8q2e7mtb3rc", "\u{0}", &"A".repeat(10_000)] {
        assert_eq!(
            ask(&bank, &token, &with("after", cursor.into())).await.refusal(),
            (400, "invalid_cursor"),
            "{cursor}"
        );
    }
    // It is April: May is in the future.
    for month in ["2026-03", "2026-04"] {
        assert_eq!(ask(&bank, &token, &with("month", month.into())).await.status, 200, "{month}");
    }
    assert_eq!(ask(&bank, &token, &with("month", "2026-05".into())).await.refusal(), (422, "month_not_begun"));
    let form = bank.http.post(bank.url("/v1/deliveries")).bearer_auth(&token).body("month=2026-02");
    assert_eq!(bank.send(form).await.refusal(), (415, "unsupported_media_type"));
    assert_eq!(bank.get(&token, "/v1/deliveries").await.refusal(), (405, "method_not_allowed"));
    assert_eq!(entries(&app, "delivery").await, 2);
}

/// A bank with a cursor of another delivery, and another bank with a cursor of this one.
async fn a_cursor_is_valid_for_its_own_delivery_only(store: TestStore) {
    let app = TestApp::start_with(store, &SMALL_PAGES.replace("200", "1")).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    for _ in 0..2 {
        app.consent(&bank, |_| {}).await;
    }
    let first = deliver(&bank, &token, &request_body()).await;
    let cursor = first.next().unwrap();
    assert!(!cursor.contains(first.consents()[0]), "it is opaque");
    let mut own = request_body();
    own["after"] = cursor.into();
    for (member, value) in
        [("month", json!("2026-01")), ("purpose", json!("loan_approval")), ("what", json!(["grade"]))]
    {
        let mut other = own.clone();
        other[member] = value;
        assert_eq!(ask(&bank, &token, &other).await.refusal(), (400, "invalid_cursor"), "{member}");
    }
    let other = app.bank("Bank B").await;
    assert_eq!(ask(&other, &other.token().await, &own).await.refusal(), (400, "invalid_cursor"));
    assert_eq!(deliver(&bank, &token, &own).await.counts(), (1, 0));
}

/// A bank with tokens of fewer scopes: a delivery needs its own scope and those of its parts (K10, K16).
async fn a_token_needs_the_scopes_of_what_it_delivers(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    app.consent(&bank, |_| {}).await;
    let single = with_scopes(&bank, "consents:read consents:write grade:read settlements:read disclosures:read").await;
    let refused = ask(&bank, &single, &request_body()).await;
    assert_eq!(refused.refusal(), (403, "insufficient_scope"));
    assert!(refused.headers["www-authenticate"].contains("deliveries:read"));
    let grades = with_scopes(&bank, "deliveries:read grade:read").await;
    let page = deliver(&bank, &grades, &request_body()).await;
    assert_eq!((&page.end["what"], &page.lines[0]["what"]), (&json!(["grade"]), &json!(["grade"])));
    let mut both = request_body();
    both["what"] = json!(["settlements", "grade", "grade"]);
    let refused = ask(&bank, &grades, &both).await;
    assert_eq!(refused.refusal(), (403, "insufficient_scope"));
    assert!(refused.json["detail"].as_str().unwrap().contains("settlements:read"));
    let alone = with_scopes(&bank, "deliveries:read").await;
    assert_eq!(ask(&bank, &alone, &request_body()).await.refusal(), (403, "insufficient_scope"));
    let all = deliver(&bank, &bank.token().await, &both).await;
    assert_eq!(all.end["what"], json!(["grade", "settlements"]));
}

/// A bank that requests more pages than its quota: single readings still work.
async fn pages_have_a_limit_of_their_own(store: TestStore) {
    let app = TestApp::start_with(store, "[limits]\ndeliveries = { quota = 2, window_seconds = 600 }").await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let consent = app.consent(&bank, |_| {}).await;
    let first = deliver(&bank, &token, &request_body()).await;
    assert!(first.reply.headers["ratelimit-policy"].contains("\"deliveries\";q=2;w=600"));
    assert!(first.reply.headers["ratelimit"].contains("\"deliveries\";r=1"));
    deliver(&bank, &token, &request_body()).await;
    let refused = ask(&bank, &token, &request_body()).await;
    assert_eq!(refused.refusal(), (429, "rate_limited"));
    assert_eq!(refused.json["violated-policies"], json!(["deliveries"]));
    assert!(refused.headers["retry-after"].parse::<u64>().unwrap() >= 299);
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.status, 200);
    let whoami = bank.get(&token, "/v1/whoami").await;
    assert!(whoami.json["limits"].as_array().unwrap().iter().any(|limit| limit["name"] == "deliveries"));
}

/// A bank that sends an idempotency key: data answers ignore it, and nothing is stored under it (M9).
async fn an_idempotency_key_replays_nothing(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    app.consent(&bank, |_| {}).await;
    let request = || {
        bank.http
            .post(bank.url("/v1/deliveries"))
            .bearer_auth(&token)
            .header("idempotency-key", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"")
            .json(&request_body())
    };
    let first = Page::of(bank.send(request()).await);
    let second = Page::of(bank.send(request()).await);
    assert_ne!(first.lines[0]["disclosure"], second.lines[0]["disclosure"]);
    assert_eq!(entries(&app, "disclosure").await, 2);
}
