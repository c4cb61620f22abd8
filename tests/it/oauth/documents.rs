//! Metadata, keys, `whoami`, rate limits and problem documents.

use serde_json::json;

use crate::support::{TestStore, app::TestApp, both_engines};

both_engines! {
    metadata_and_keys_follow_their_rfcs,
    whoami_reports_the_gateways_view,
    a_hundred_parallel_calls_at_a_limit_of_twenty_admit_twenty,
    every_refusal_is_a_problem_document,
}

/// A client without a token (T7, K11, K12).
async fn metadata_and_keys_follow_their_rfcs(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let get = async |path: &str| bank.send(bank.http.get(bank.url(path))).await;
    let server = get("/.well-known/oauth-authorization-server").await;
    assert_eq!(server.json["tls_client_certificate_bound_access_tokens"], true);
    assert_eq!(server.json["grant_types_supported"], json!(["client_credentials"]));
    assert_eq!(server.json["mtls_endpoint_aliases"]["token_endpoint"], format!("{}/oauth2/token", app.origin));
    assert_eq!(server.json["issuer"], app.origin);
    assert!(server.headers["cache-control"].contains("max-age"));
    let resource = get("/.well-known/oauth-protected-resource").await;
    assert_eq!(resource.json["bearer_methods_supported"], json!(["header"]));
    let jwks = get("/.well-known/jwks.json").await;
    let keys = jwks.json["keys"].as_array().unwrap();
    let mut kids: Vec<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), keys.len(), "no kid occurs twice");
    for key in keys {
        assert!(key.get("d").is_none() && key.get("x5u").is_none() && key.get("jku").is_none());
    }
    let schemes = get("/v1/schemes").await;
    let all = schemes.json["schemes"].as_array().unwrap();
    let wenzhou = all.iter().find(|scheme| scheme["id"] == "wenzhou-951").unwrap();
    assert_eq!(
        wenzhou["grades"][0],
        json!({ "code": "excellent", "name": "优秀", "ordinal": 1, "from_milli_points": 850_000 })
    );
}

async fn whoami_reports_the_gateways_view(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let without = bank.send(bank.http.get(bank.url("/v1/whoami"))).await;
    assert_eq!(without.json["client"]["id"], bank.id.to_string());
    assert_eq!(without.json["connection"]["alpn"], "h2");
    assert_eq!(without.json["connection"]["protocol"], "TLSv1.3");
    assert_eq!(without.json["connection"]["key_exchange"], "X25519MLKEM768");
    assert_eq!(
        without.json["connection"]["thumbprint"],
        medcredit::identity::certificate::thumbprint(&bank.certificate)
    );
    assert_eq!(without.json["token"]["present"], false);
    let with = bank.get(&bank.token().await, "/v1/whoami").await;
    assert_eq!(with.json["token"]["valid"], true);
    let other = app.bank("Bank B").await;
    let wrong = other.get(&bank.token().await, "/v1/whoami").await;
    assert!(
        wrong.json["token"]["problem"].as_str().unwrap().starts_with("The access token is not valid"),
        "K13: nothing else is reported"
    );
    assert_eq!(with.json["limits"][0]["name"], "burst");
}

/// M7, M8, 37.
async fn a_hundred_parallel_calls_at_a_limit_of_twenty_admit_twenty(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app
        .bank_with("Bank A", |new| {
            new.limits.0.insert("burst".into(), 20);
        })
        .await;
    // Opens the one connection that the hundred requests share.
    bank.send(bank.http.get(bank.url("/.well-known/jwks.json"))).await;
    let replies =
        futures_util::future::join_all((0..100).map(|_| bank.send(bank.http.get(bank.url("/v1/whoami"))))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 20);
    let limited = replies.iter().find(|reply| reply.status == 429).unwrap();
    assert_eq!(limited.code(), "rate_limited");
    assert_eq!(limited.json["violated-policies"], json!(["burst"]));
    assert_eq!(limited.headers["ratelimit-policy"], "\"burst\";q=20;w=10, \"sustained\";q=6000;w=600");
    let wait: u64 = limited.headers["retry-after"].parse().unwrap();
    let field = &limited.headers["ratelimit"];
    assert!(field.starts_with(&format!("\"burst\";r=0;t={wait}")), "{field}: Retry-After is not before t");
    app.advance(std::time::Duration::from_secs(wait)).await;
    assert_eq!(bank.send(bank.http.get(bank.url("/v1/whoami"))).await.status, 200);
    assert!(!app.bank("Bank B").await.token().await.is_empty());
}

/// The document has the request's id (M6, M10).
async fn every_refusal_is_a_problem_document(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let nowhere = bank.send(bank.http.get(bank.url("/v2/nowhere"))).await;
    assert_eq!(nowhere.refusal(), (404, "route_not_found"));
    assert_eq!(nowhere.headers["content-type"], "application/problem+json");
    let id = &nowhere.headers["x-fapi-interaction-id"];
    assert_eq!(nowhere.json["instance"], format!("urn:uuid:{id}"));
    let wrong = bank.send(bank.http.put(bank.url("/v1/consents"))).await;
    assert_eq!(wrong.refusal(), (405, "method_not_allowed"));
    assert!(wrong.headers["allow"].contains("GET"));
    let token = bank.token().await;
    let text = bank.send(bank.http.post(bank.url("/v1/consents")).bearer_auth(&token).body("{}")).await;
    assert_eq!(text.refusal(), (415, "unsupported_media_type"));
    let broken = bank
        .http
        .post(bank.url("/v1/consents"))
        .bearer_auth(&token)
        .header("content-type", "application/json")
        .body("{\"uscc\": 7,");
    let broken = bank.send(broken).await;
    assert_eq!(broken.refusal(), (400, "invalid_request"));
    assert!(broken.json["field"].as_str().unwrap().contains("line 1"));
    let large = vec![b' '; 300 * 1024];
    let large = bank
        .http
        .post(bank.url("/v1/consents"))
        .bearer_auth(&token)
        .header("content-type", "application/json")
        .body(large);
    assert_eq!(bank.send(large).await.refusal(), (413, "body_too_large"));
}
