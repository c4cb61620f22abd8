//! `POST /oauth2/token`.

use medcredit::domain::permission::Scope;
use serde_json::json;

use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    both_engines,
};

fn claims(token: &str) -> serde_json::Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

fn header(token: &str) -> serde_json::Value {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

both_engines! {
    a_token_is_bound_to_the_certificate,
    scopes_are_narrowed_and_never_widened,
    errors_explain_what_is_wrong,
    only_active_clients_get_tokens,
    a_token_counts_only_in_the_header_of_its_own_clients_connection,
    failures_pause_the_certificate,
    failures_slow_the_failing_proof_alone,
    a_registration_has_bounds,
}

/// Without a requested scope the token has all registered ones (K2, K6, K7, K9, T5).
async fn a_token_is_bound_to_the_certificate(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank_with("Bank A", |new| new.scopes = vec![Scope::GradeRead, Scope::ConsentsRead]).await;
    let reply = bank.form("/oauth2/token", &[("grant_type", "client_credentials")]).await;
    assert_eq!(reply.status, 200);
    assert_eq!((&reply.json["token_type"], &reply.json["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert_eq!(reply.json["scope"], "grade:read consents:read");
    assert_eq!(reply.headers["cache-control"], "no-store");
    let token = reply.json["access_token"].as_str().unwrap();
    assert_eq!(header(token)["typ"], "at+jwt");
    let claims = claims(token);
    assert_eq!(claims["cnf"]["x5t#S256"], medcredit::identity::certificate::thumbprint(&bank.certificate));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(app.origin), &json!(app.origin)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(bank.id), &json!(bank.id)));
    assert!(bank.id.to_string().starts_with("cli_"));
    assert!(claims["jti"].as_str().unwrap().starts_with("tok_"));
}

/// A request for fewer scopes succeeds, a request for unregistered ones fails (K10, K16).
async fn scopes_are_narrowed_and_never_widened(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank_with("Bank A", |new| new.scopes = vec![Scope::GradeRead, Scope::ConsentsRead]).await;
    let consent = app.consent(&bank, |_| {}).await;
    let reply = bank.form("/oauth2/token", &[("grant_type", "client_credentials"), ("scope", "consents:read")]).await;
    let token = reply.json["access_token"].as_str().unwrap();
    let refused = bank.get(token, &Bank::data(&consent, "grade")).await;
    assert_eq!(refused.refusal(), (403, "insufficient_scope"));
    assert!(refused.headers["www-authenticate"].contains(r#"error="insufficient_scope", scope="grade:read""#));
    for scope in ["settlements:read", "grade:read nonsense"] {
        let reply = bank.form("/oauth2/token", &[("grant_type", "client_credentials"), ("scope", scope)]).await;
        assert_eq!(reply.refusal(), (400, "invalid_scope"), "{scope}");
    }
}

/// Errors have RFC 6749's form (K1).
async fn errors_explain_what_is_wrong(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    for (fields, refusal) in [
        (vec![("scope", "grade:read")], (400, "invalid_request")),
        (vec![("grant_type", "password"), ("username", "a"), ("password", "b")], (400, "unsupported_grant_type")),
        (vec![("grant_type", "client_credentials"), ("grant_type", "client_credentials")], (400, "invalid_request")),
        (vec![("grant_type", "client_credentials"), ("client_secret", "s")], (401, "invalid_client")),
        (vec![("grant_type", "client_credentials"), ("client_id", "cli_other")], (401, "invalid_client")),
        (
            vec![("grant_type", "client_credentials"), ("authorization_details", "{}")],
            (400, "invalid_authorization_details"),
        ),
        (
            vec![
                ("grant_type", "client_credentials"),
                ("authorization_details", r#"[{"type":"payment","identifier":"x"}]"#),
            ],
            (400, "invalid_authorization_details"),
        ),
    ] {
        let reply = bank.form("/oauth2/token", &fields).await;
        assert_eq!(reply.refusal(), refusal, "{fields:?}: {:?}", reply.json);
        assert!(reply.json["error_description"].as_str().unwrap().len() > 10);
        assert!(reply.json.get("type").is_none(), "RFC 6749's form, not a problem document");
    }
    // RFC 6749: unknown parameters are ignored.
    let reply = bank.form("/oauth2/token", &[("grant_type", "client_credentials"), ("resource", "x")]).await;
    assert_eq!(reply.status, 200);
}

/// A valid certificate of no client, and one of a suspended client (30).
async fn only_active_clients_get_tokens(store: TestStore) {
    let app = TestApp::start(store).await;
    let (certificate, key) = app.certificate("Nobody").await;
    let bank = app.bank("Bank A").await;
    let mut stranger = bank.clone();
    stranger.http = app.connect(&certificate, &key);
    let reply = stranger.form("/oauth2/token", &[("grant_type", "client_credentials")]).await;
    assert_eq!(reply.refusal(), (401, "invalid_client"));
    let token = bank.token().await;
    medcredit::access::suspend(&app.store.env(), crate::support::tester(), None, &bank.id).await.unwrap();
    app.app.catch_up().await.unwrap();
    assert_eq!(
        bank.form("/oauth2/token", &[("grant_type", "client_credentials")]).await.refusal(),
        (401, "invalid_client")
    );
    assert_eq!(bank.get(&token, "/v1/consents").await.refusal(), (401, "invalid_token"));
    medcredit::access::resume(&app.store.env(), crate::support::tester(), Some("a test"), &bank.id).await.unwrap();
    app.app.catch_up().await.unwrap();
    assert_eq!(bank.get(&token, "/v1/consents").await.status, 200);
}

/// A bank with another bank's token (13), without a token, and with a token in the query (25, K15).
async fn a_token_counts_only_in_the_header_of_its_own_clients_connection(store: TestStore) {
    let app = TestApp::start(store).await;
    let (bank, other) = (app.bank("Bank A").await, app.bank("Bank B").await);
    let token = bank.token().await;
    let stolen = other.get(&token, "/v1/consents").await;
    assert_eq!(stolen.refusal(), (401, "invalid_token"));
    assert!(stolen.headers["www-authenticate"].contains(r#"error="invalid_token""#));
    assert!(stolen.headers["www-authenticate"].contains("resource_metadata="));
    let bare = bank.send(bank.http.get(bank.url("/v1/consents"))).await;
    assert_eq!(bare.refusal(), (401, "token_required"));
    assert!(!bare.headers["www-authenticate"].contains("error="));
    let query = bank.send(bank.http.get(bank.url(&format!("/v1/consents?access_token={token}")))).await;
    assert_eq!(query.refusal(), (400, "invalid_request"));
    // T6: a header with a certificate changes nothing.
    let spoofed = other.http.get(other.url("/v1/consents")).bearer_auth(&token).header("x-client-cert", "anything");
    assert_eq!(other.send(spoofed).await.refusal(), (401, "invalid_token"));
}

/// The refusal has `Retry-After` (38).
async fn failures_pause_the_certificate(store: TestStore) {
    let app =
        TestApp::start_with(store, "[limits]\nauthentication_failures = { quota = 3, window_seconds = 60 }").await;
    let bank = app.bank("Bank A").await;
    for _ in 0..4 {
        assert_eq!(bank.get("not-a-token", "/v1/consents").await.refusal(), (401, "invalid_token"));
    }
    let token = "whatever";
    let paused = bank.get(token, "/v1/consents").await;
    assert_eq!(paused.refusal(), (429, "authentication_paused"));
    let wait: u64 = paused.headers["retry-after"].parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    app.advance(std::time::Duration::from_secs(wait)).await;
    assert_eq!(bank.get(&bank.token().await, "/v1/consents").await.status, 200);
}

/// A bank one of whose programs sends wrong tokens and assertions: that program waits, and the others do not notice.
async fn failures_slow_the_failing_proof_alone(store: TestStore) {
    let app =
        TestApp::start_with(store, "[limits]\nauthentication_failures = { quota = 3, window_seconds = 60 }").await;
    let (bank, other) = (app.bank("Bank A").await, app.bank("Bank B").await);
    let (token, foreign) = (bank.token().await, other.token().await);
    for _ in 0..2 {
        for wrong in ["not-a-token", &foreign] {
            assert_eq!(bank.get(wrong, "/v1/consents").await.refusal(), (401, "invalid_token"));
        }
    }
    for wrong in ["not-a-token", &foreign] {
        let paused = bank.get(wrong, "/v1/consents").await;
        assert_eq!(paused.refusal(), (429, "authentication_paused"));
        assert!(paused.headers.contains_key("retry-after"));
    }
    // Tokens that are valid, also one that this gateway has not seen, and one that has ended.
    assert_eq!(bank.get(&token, "/v1/consents").await.status, 200);
    let new = bank.token().await;
    assert_eq!(bank.get(&new, "/v1/consents").await.status, 200);
    assert_eq!(bank.form("/oauth2/revoke", &[("token", &new)]).await.status, 200);
    assert_eq!(bank.get(&new, "/v1/consents").await.refusal(), (401, "invalid_token"));
    let wrong = [("grant_type", "client_credentials"), ("client_secret", "a secret")];
    for _ in 0..4 {
        assert_eq!(bank.form("/oauth2/token", &wrong).await.refusal(), (401, "invalid_client"));
    }
    let paused = bank.form("/oauth2/token", &wrong).await;
    assert_eq!(paused.refusal(), (429, "temporarily_unavailable"));
    assert!(paused.headers.contains_key("retry-after"));
    assert_eq!(bank.get(&bank.token().await, "/v1/consents").await.status, 200);
    // A certificate of no client proves nothing else: it is slowed as a whole.
    let (certificate, key) = app.certificate("Nobody").await;
    let mut nobody = bank.clone();
    nobody.http = app.connect(&certificate, &key);
    let whoami = async || nobody.send(nobody.http.get(nobody.url("/v1/whoami"))).await;
    for _ in 0..4 {
        assert_eq!(whoami().await.refusal(), (401, "invalid_client"));
    }
    assert_eq!(whoami().await.refusal(), (429, "authentication_paused"));
    app.advance(std::time::Duration::from_mins(1)).await;
    assert_eq!(bank.get("not-a-token", "/v1/consents").await.refusal(), (401, "invalid_token"));
    assert_eq!(whoami().await.refusal(), (401, "invalid_client"));
}

/// An operator who registers a bank with numbers that mean nothing.
async fn a_registration_has_bounds(store: TestStore) {
    use medcredit::access::{
        AuthMethod, ClientKind, Delivers, LimitOverrides, MOST_PENDING, NewClient, SignedRequests,
    };
    let app = TestApp::start(store).await;
    let register = async |max_pending: i64, limits: LimitOverrides| {
        let new = NewClient {
            name: "Bank A".into(),
            kind: ClientKind::Bank,
            authority: app.authority,
            subject: "CN=bank-a".into(),
            auth_methods: vec![AuthMethod::TlsClientAuth],
            jwks: None,
            signed_requests: SignedRequests::Ignored,
            scopes: ClientKind::Bank.scopes(),
            limits,
            delivers: Delivers::default(),
            max_pending,
        };
        medcredit::access::register(&app.store.env(), crate::support::tester(), &new).await
    };
    for wrong in [i64::MIN, -1, 0, MOST_PENDING + 1] {
        let refused = register(wrong, LimitOverrides::default()).await.unwrap_err();
        assert!(refused.code == "invalid_request" && refused.public.contains("1000000"), "{refused:?}");
    }
    for quota in [0, u32::MAX] {
        let refused = register(5, LimitOverrides([("burst".to_owned(), quota)].into())).await.unwrap_err();
        assert!(refused.public.contains("burst"), "{refused:?}");
    }
    register(1, LimitOverrides::default()).await.unwrap();
}
