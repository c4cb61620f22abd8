//! `POST /v1/consents`.

use serde_json::{Value, json};

use crate::support::{
    TestStore,
    app::{ENTITY, HOSPITAL, TestApp},
    both_engines,
};

fn request_body() -> Value {
    json!({
        "uscc": ENTITY, "codes": [HOSPITAL], "permissions": ["grade", "settlements"], "purposes": ["pre_loan_review"],
        "product": "医保信用贷", "reference": "A-1"
    })
}

both_engines! {
    gets_a_pending_consent,
    cannot_be_used_to_find_out_who_exists,
    names_what_is_wrong,
    is_capped,
    are_listed_by_pages,
}

/// A bank that requests a consent.
async fn gets_a_pending_consent(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let reply = bank.post(&token, "/v1/consents", &request_body()).await;
    assert_eq!(reply.status, 201, "{:?}", reply.json);
    let id = reply.json["id"].as_str().unwrap();
    assert_eq!(reply.headers["location"], format!("/v1/consents/{id}"));
    assert_eq!((&reply.json["status"], &reply.json["version"]), (&json!("pending"), &json!(1)));
    assert_eq!((&reply.json["data_from"], &reply.json["data_to"]), (&json!("2024-05"), &json!("2026-04")));
    let shown = bank.get(&token, &format!("/v1/consents/{id}")).await;
    assert_eq!(shown.json, reply.json);
    let listed = bank.get(&token, "/v1/consents").await;
    assert_eq!(listed.json["consents"], json!([reply.json]));
    let other = app.bank("Bank B").await;
    let theirs = other.token().await;
    assert_eq!(other.get(&theirs, &format!("/v1/consents/{id}")).await.refusal(), (404, "consent_not_found"));
    assert_eq!(other.get(&theirs, "/v1/consents").await.json["consents"], json!([]));
    assert_eq!(other.delete(&theirs, &format!("/v1/consents/{id}")).await.refusal(), (404, "consent_not_found"));
}

/// A bank that guesses codes: existing and unknown codes get the same answer, and the latter is never granted.
async fn cannot_be_used_to_find_out_who_exists(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let mut guess = request_body();
    guess["codes"] = json!(["H33039999999"]);
    let (real, guessed) =
        (bank.post(&token, "/v1/consents", &request_body()).await, bank.post(&token, "/v1/consents", &guess).await);
    assert_eq!((real.status, guessed.status), (201, 201));
    let keys = |json: &Value| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&real.json), keys(&guessed.json));
    let operator = crate::support::decided_by("tester");
    let refused =
        app.app.consents.grant(guessed.json["id"].as_str().unwrap(), &crate::support::app::signed(), &operator).await;
    assert_eq!(refused.unwrap_err().code, "subject_unknown");
    let mut foreign = request_body();
    foreign["codes"] = json!([crate::support::app::MEDIUM]);
    let foreign = bank.post(&token, "/v1/consents", &foreign).await;
    let refused =
        app.app.consents.grant(foreign.json["id"].as_str().unwrap(), &crate::support::app::signed(), &operator).await;
    assert_eq!(refused.unwrap_err().code, "subject_of_other_entity");
}

/// A bank whose request is malformed.
async fn names_what_is_wrong(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    for (name, value, field) in [
        ("uscc", json!("91330302MA2AB3C47"), "/uscc"),
        ("uscc", json!("91330302MA2AB3C4IJ"), "/uscc"),
        ("codes", json!([]), "/codes"),
        ("codes", json!(["H3303020009"]), "/codes/0"),
        ("codes", json!([HOSPITAL, HOSPITAL]), "/codes/0"),
        ("codes", json!(["D330302000123"]), "/codes/0"),
        ("permissions", json!([]), "/permissions"),
        ("purposes", json!([]), "/purposes"),
        ("product", json!(" "), "/product"),
        ("reference", json!("x".repeat(65)), "/reference"),
        ("product", json!("贷款\u{202e}001"), "/product"),
        ("product", json!("loan\u{200b}"), "/product"),
        ("product", json!("loan\u{1b}[2J"), "/product"),
        ("reference", json!("A\u{feff}1"), "/reference"),
        ("data_to", json!("1900-01"), "/data_to"),
        ("data_to", json!("2023-03"), "/data_to"),
        ("data_to", json!("9999-12"), "/data_to"),
        ("data_from", json!("2026-05"), "/data_from"),
        ("data_from", json!("2020-01"), "/data_from"),
        ("valid_for_days", json!(0), "/valid_for_days"),
        ("valid_for_days", json!(1097), "/valid_for_days"),
        ("max_fetches", json!(0), "/max_fetches"),
        ("daily_budget", json!(-1), "/daily_budget"),
    ] {
        let mut body = request_body();
        body[name] = value.clone();
        let reply = bank.post(&token, "/v1/consents", &body).await;
        assert_eq!(reply.refusal(), (400, "invalid_request"), "{name} {value}");
        assert_eq!(reply.json["field"], field, "{name} {value}: {:?}", reply.json);
    }
    for (name, value) in [("permissions", json!(["everything"])), ("unknown", json!(1)), ("data_to", json!("soon"))] {
        let mut body = request_body();
        body[name] = value;
        let reply = bank.post(&token, "/v1/consents", &body).await;
        assert_eq!(reply.refusal(), (400, "invalid_request"), "{name}");
        assert!(reply.json["detail"].as_str().unwrap().contains("line"), "{:?}", reply.json);
    }
    assert_eq!(bank.get(&token, "/v1/consents").await.json["consents"], json!([]), "nothing was half done");
}

/// A bank with the maximum of pending requests.
async fn is_capped(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let body = request_body();
    let replies = futures_util::future::join_all((0..12).map(|_| bank.post(&token, "/v1/consents", &body))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 5);
    let refused = replies.iter().find(|reply| reply.status != 201).unwrap();
    assert_eq!(refused.refusal(), (429, "too_many_pending_consents"));
    // One that is withdrawn or expires makes room.
    let first = replies.iter().find(|reply| reply.status == 201).unwrap().json["id"].as_str().unwrap().to_owned();
    let withdrawn = bank.delete(&token, &format!("/v1/consents/{first}")).await;
    assert_eq!((withdrawn.status, &withdrawn.json["status"]), (200, &json!("revoked")));
    assert_eq!(bank.post(&token, "/v1/consents", &body).await.status, 201);
    app.advance(std::time::Duration::from_secs(31 * 86_400)).await;
    let token = bank.token().await;
    assert_eq!(bank.post(&token, "/v1/consents", &body).await.status, 201);
    assert_eq!(bank.get(&token, &format!("/v1/consents/{first}")).await.json["status"], "revoked");
}

/// A bank with many consents reads them by pages.
async fn are_listed_by_pages(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    for _ in 0..5 {
        app.pending(&bank, |_| {}).await;
    }
    let token = bank.token().await;
    let mut seen = Vec::new();
    let mut path = "/v1/consents?limit=2".to_owned();
    loop {
        let page = bank.get(&token, &path).await;
        seen.extend(page.json["consents"].as_array().unwrap().iter().map(|of| of["id"].as_str().unwrap().to_owned()));
        let Some(next) = page.json["next"].as_str() else { break };
        path = format!("/v1/consents?limit=2&after={next}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(bank.get(&token, "/v1/consents?limit=0").await.refusal(), (400, "invalid_request"));
}
