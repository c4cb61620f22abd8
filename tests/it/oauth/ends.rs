//! The end of a token: by its client, by a consent that it is limited to, by its key, by time.

use std::time::Duration;

use medcredit::{
    authority::{Purpose, keys},
    consent::Amendment,
    domain::permission::Permission,
};
use serde_json::json;

use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    both_engines,
};

async fn limited(bank: &Bank, ids: &[String]) -> String {
    let details: Vec<_> = ids.iter().map(|id| json!({ "type": "medcredit_consent", "identifier": id })).collect();
    let details = serde_json::Value::from(details).to_string();
    let reply =
        bank.form("/oauth2/token", &[("grant_type", "client_credentials"), ("authorization_details", &details)]).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    assert_eq!(reply.json["authorization_details"][0]["identifier"], ids[0]);
    reply.json["access_token"].as_str().unwrap().to_owned()
}

both_engines! {
    a_client_revokes_its_own_tokens_only,
    a_limited_token_ends_with_any_of_its_consents,
    an_amendment_ends_limited_tokens_only_when_it_succeeds,
    a_rotated_key_still_verifies_and_a_revoked_one_does_not,
    a_token_expires,
    a_gateway_that_may_be_behind_refuses_everybody,
    a_suspension_reaches_every_call_immediately,
    what_a_bank_changes_is_committed_before_its_suspension_or_never,
}

/// A bank revokes its own token, and another bank tries to (29, K14).
async fn a_client_revokes_its_own_tokens_only(store: TestStore) {
    let app = TestApp::start(store).await;
    let (bank, other) = (app.bank("Bank A").await, app.bank("Bank B").await);
    let (token, kept) = (bank.token().await, bank.token().await);
    // Foreign and unknown tokens are no error and have no effect.
    assert_eq!(other.form("/oauth2/revoke", &[("token", &token)]).await.status, 200);
    assert_eq!(other.form("/oauth2/revoke", &[("token", "nonsense")]).await.status, 200);
    assert_eq!(bank.get(&token, "/v1/consents").await.status, 200);
    let active = bank.form("/oauth2/introspect", &[("token", &token)]).await;
    assert_eq!((&active.json["active"], &active.json["client_id"]), (&json!(true), &json!(bank.id)));
    assert!(
        active.json["cnf"]["x5t#S256"].is_string() && active.json["exp"].is_i64() && active.json["scope"].is_string()
    );
    assert!(active.json.get("username").is_none());
    // K13: for any other client the token does not exist.
    assert_eq!(other.form("/oauth2/introspect", &[("token", &token)]).await.json, json!({ "active": false }));
    assert_eq!(bank.form("/oauth2/introspect", &[("token", "nonsense")]).await.json, json!({ "active": false }));
    assert_eq!(bank.form("/oauth2/revoke", &[("token", &token)]).await.status, 200);
    assert_eq!(bank.get(&token, "/v1/consents").await.refusal(), (401, "invalid_token"));
    assert_eq!(bank.form("/oauth2/introspect", &[("token", &token)]).await.json, json!({ "active": false }));
    assert_eq!(bank.get(&kept, "/v1/consents").await.status, 200, "the bank's other token is still valid");
    assert_eq!(bank.form("/oauth2/revoke", &[]).await.refusal(), (400, "invalid_request"));
}

/// A token that is limited to two consents ends with either of them (K8, K14, C5).
async fn a_limited_token_ends_with_any_of_its_consents(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let (one, two, third) =
        (app.consent(&bank, |_| {}).await, app.consent(&bank, |_| {}).await, app.consent(&bank, |_| {}).await);
    let ids = [one.id.to_string(), two.id.to_string()];
    let token = limited(&bank, &ids).await;
    let unlimited = bank.token().await;
    assert_eq!(bank.get(&token, &Bank::data(&one, "grade")).await.status, 200);
    assert_eq!(bank.get(&token, &Bank::data(&third, "grade")).await.refusal(), (403, "consent_not_in_token"));
    app.app.consents.revoke(&ids[1], None, &crate::support::decided_by("tester")).await.unwrap();
    assert_eq!(bank.get(&token, &Bank::data(&one, "grade")).await.refusal(), (401, "invalid_token"));
    assert_eq!(bank.form("/oauth2/introspect", &[("token", &token)]).await.json, json!({ "active": false }));
    assert_eq!(bank.get(&unlimited, &Bank::data(&one, "grade")).await.status, 200);
    // A token cannot be limited to a consent that is not active, of another bank, or unknown.
    for id in [ids[1].as_str(), "con_nonsense"] {
        let details = json!([{ "type": "medcredit_consent", "identifier": id }]).to_string();
        let reply = bank
            .form("/oauth2/token", &[("grant_type", "client_credentials"), ("authorization_details", &details)])
            .await;
        assert_eq!(reply.refusal(), (400, "invalid_authorization_details"));
    }
}

/// A failed amendment leaves the token valid (33).
async fn an_amendment_ends_limited_tokens_only_when_it_succeeds(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let id = consent.id.to_string();
    let token = limited(&bank, std::slice::from_ref(&id)).await;
    let operator = crate::support::decided_by("tester");
    let refused = Amendment { permissions: Some(vec![]), ..Amendment::default() };
    app.app.consents.amend(&id, &refused, &operator).await.unwrap_err();
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.status, 200);
    let amendment = Amendment { permissions: Some(vec![Permission::Grade]), ..Amendment::default() };
    let amended = app.app.consents.amend(&id, &amendment, &operator).await.unwrap();
    assert_eq!((amended.id, amended.version), (consent.id, consent.version + 1));
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.refusal(), (401, "invalid_token"));
    let fresh = limited(&bank, &[id]).await;
    assert_eq!(bank.get(&fresh, &Bank::data(&consent, "grade")).await.status, 200);
    assert_eq!(bank.get(&fresh, &Bank::data(&consent, "settlements")).await.refusal(), (403, "permission_not_granted"));
}

/// The token-signing key is rotated, then revoked (31).
async fn a_rotated_key_still_verifies_and_a_revoked_one_does_not(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let before = bank.token().await;
    let former = medcredit::authority::keyring::list(app.custody()).await.unwrap();
    let former = former.iter().find(|key| key.key.purpose == Purpose::TokenSigning).unwrap().key.id;
    keys::rotate(app.custody(), Purpose::TokenSigning).await.unwrap();
    app.app.catch_up().await.unwrap();
    let after = bank.token().await;
    assert_eq!(bank.get(&before, "/v1/consents").await.status, 200);
    assert_eq!(bank.get(&after, "/v1/consents").await.status, 200);
    let jwks = bank.send(bank.http.get(bank.url("/.well-known/jwks.json"))).await;
    assert_eq!(jwks.json["keys"].as_array().unwrap().len(), 4);
    keys::revoke(app.custody(), former, "leaked").await.unwrap();
    app.app.catch_up().await.unwrap();
    assert_eq!(bank.get(&before, "/v1/consents").await.refusal(), (401, "invalid_token"));
    assert_eq!(bank.get(&after, "/v1/consents").await.status, 200);
    let jwks = bank.send(bank.http.get(bank.url("/.well-known/jwks.json"))).await;
    assert_eq!(jwks.json["keys"].as_array().unwrap().len(), 3);
}

/// Before and after the expired token is removed from the store (20).
async fn a_token_expires(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let (used, unused) = (bank.token().await, bank.token().await);
    assert_eq!(bank.get(&used, "/v1/consents").await.status, 200);
    app.advance(Duration::from_secs(300)).await;
    assert_eq!(bank.get(&used, "/v1/consents").await.refusal(), (401, "invalid_token"));
    assert_eq!(bank.get(&unused, "/v1/consents").await.refusal(), (401, "invalid_token"));
    let whoami = bank.get(&used, "/v1/whoami").await;
    assert_eq!(whoami.json["token"]["problem"], "the token has expired");
}

/// A gateway that could not read changes for a second (I3, 34).
async fn a_gateway_that_may_be_behind_refuses_everybody(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    app.store.clock.advance(Duration::from_millis(1001));
    let reply = bank.get(&token, "/v1/consents").await;
    assert_eq!(reply.refusal(), (503, "state_unknown"));
    assert_eq!(reply.json["type"], "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity");
    assert!(reply.headers.contains_key("retry-after"));
    app.app.catch_up().await.unwrap();
    assert_eq!(bank.get(&token, "/v1/consents").await.status, 200);
}

/// A bank that another process suspends, before this gateway has polled for changes: data and everything else is refused.
async fn a_suspension_reaches_every_call_immediately(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let consent = app.consent(&bank, |_| {}).await;
    let of_consent = format!("/v1/consents/{}", consent.id);
    let wish = json!({
        "uscc": crate::support::app::ENTITY, "codes": [crate::support::app::HOSPITAL], "permissions": ["grade"],
        "purposes": ["pre_loan_review"], "product": "test",
    });
    let statuses = async || {
        let mut statuses = Vec::new();
        let receipt = format!("{of_consent}/receipt");
        for path in ["/v1/consents", &of_consent, &receipt, "/v1/whoami", "/v1/schemes", "/v1/ledger/keys"] {
            statuses.push((path.to_owned(), bank.get(&token, path).await.status));
        }
        let grade = Bank::data(&consent, "grade?purpose=pre_loan_review");
        statuses.push(("data".to_owned(), bank.get(&token, &grade).await.status));
        statuses.push(("request".to_owned(), bank.post(&token, "/v1/consents", &wish).await.status));
        let fields = [("grant_type", "client_credentials"), ("token", &token)];
        for path in ["/oauth2/token", "/oauth2/introspect"] {
            statuses.push((path.to_owned(), bank.form(path, &fields).await.status));
        }
        statuses
    };
    assert!(statuses().await.iter().all(|(_, status)| matches!(status, 200 | 201)), "{:?}", statuses().await);
    let env = app.store.env();
    medcredit::access::suspend(&env, crate::support::tester(), Some("a test"), &bank.id).await.unwrap();
    let refused = statuses().await;
    assert!(refused.iter().all(|(_, status)| *status == 401), "{refused:?}");
    assert_eq!(bank.delete(&token, &of_consent).await.status, 401);
    medcredit::access::resume(&env, crate::support::tester(), Some("a test"), &bank.id).await.unwrap();
    app.app.catch_up().await.unwrap();
    let again = bank.get(&token, &of_consent).await;
    assert_eq!((again.status, &again.json["status"]), (200, &json!("active")));
}

/// A bank that is suspended after its request was authenticated: what the request would change is not changed.
async fn what_a_bank_changes_is_committed_before_its_suspension_or_never(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let env = app.store.env();
    medcredit::access::suspend(&env, crate::support::tester(), Some("a test"), &bank.id).await.unwrap();
    let consents = &app.app.consents;
    assert_eq!(consents.request(bank.id, 1000, &app.wish()).await.unwrap_err().code, "state_moving");
    let by_bank = medcredit::consent::Decision::by(medcredit::domain::Actor::bank(bank.id));
    let id = consent.id.to_string();
    let refused = consents.revoke(&id, Some(bank.id), &by_bank).await.unwrap_err();
    assert_eq!((refused.code, refused.retryable()), ("state_moving", true));
    assert_eq!(consents.list(bank.id, None, 10).await.unwrap().len(), 1, "nothing was requested");
    // The subject's decision does not depend on the bank.
    consents.revoke(&id, None, &crate::support::decided_by("tester")).await.unwrap();
}
