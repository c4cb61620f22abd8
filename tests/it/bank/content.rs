//! Bodies of requests and answers: digests, codings, and the request digest in an answer's signature (M2, M4).

use medcredit::identity::signature::{
    Covered, RequestFacts, SignatureFields, content_digest, digest::DigestAlgorithm, verify,
};

use super::imports;
use crate::support::{
    TestStore,
    app::{Bank, ENTITY, HOSPITAL, TestApp},
    both_engines,
};

/// A consent request as bytes, so that a test can digest and change them.
pub(super) fn consent_request() -> Vec<u8> {
    let consent_request = serde_json::json!({
        "uscc": ENTITY, "codes": [HOSPITAL], "permissions": ["grade"],
        "purposes": ["pre_loan_review"], "product": "test",
    });
    consent_request.to_string().into_bytes()
}

both_engines! {
    a_digest_is_checked_before_the_body_is_read,
    a_large_delivery_may_be_digested,
    a_content_coding_is_refused,
    a_digest_is_sent_where_it_is_requested,
    an_answers_signature_covers_the_requests_digest,
}

/// A bank that digests what it sends (M4, A7 no. 35): a right digest passes, a wrong one stops the body before it is read.
async fn a_digest_is_checked_before_the_body_is_read(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let send = async |digest: &str, body: &[u8]| {
        let request =
            bank.http.post(bank.url("/v1/consents")).bearer_auth(&token).header("content-type", "application/json");
        bank.send(request.header("content-digest", digest).body(body.to_vec())).await
    };
    for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Sha512] {
        assert_eq!(send(&algorithm.field(&consent_request()), &consent_request()).await.status, 201);
    }
    // It is not JSON either, but the digest is checked first.
    let changed = send(&content_digest(&consent_request()), b"{").await;
    assert_eq!(changed.refusal(), (400, "content_digest_mismatch"));
    let unsupported = send("md5=:AAAA:", &consent_request()).await;
    assert_eq!(unsupported.refusal(), (400, "content_digest_unsupported"));
    assert_eq!(unsupported.headers["want-content-digest"], "sha-256=10, sha-512=5");
    let twice = format!("{}, {}", content_digest(b"other"), content_digest(&consent_request()));
    assert_eq!(send(&twice, &consent_request()).await.refusal(), (400, "content_digest_malformed"));
}

/// A department that digests a delivery, which may be larger than other bodies.
async fn a_large_delivery_may_be_digested(store: TestStore) {
    let app = TestApp::start(store).await;
    let sender = imports::department(&app, "Market supervision", &["records"], &["市场监管局"]).await;
    let token = sender.token().await;
    let rows = (0..8000).map(|nth| format!("{HOSPITAL},insurance_commendation,1,2026-01-05,市场监管局,{nth:0>300}\n"));
    let body = imports::HEADER.to_owned() + &rows.collect::<String>();
    assert!(body.len() > 2 * 1024 * 1024);
    // Read to its end, and then refused for its content: each reference is too long.
    let wrong = (content_digest(b"other"), (400, "content_digest_mismatch"));
    for (digest, expected) in [wrong, (content_digest(body.as_bytes()), (422, "nothing_taken"))] {
        let request = sender.http.post(sender.url("/v1/imports/records")).bearer_auth(&token);
        let request = request.header("content-type", "text/csv").header("content-digest", digest);
        let reply = sender.send(request.body(body.clone())).await;
        assert_eq!(reply.refusal(), expected);
    }
}

/// A client that compresses (A7 no. 35), at a data route and at the token endpoint.
async fn a_content_coding_is_refused(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let request = bank.http.post(bank.url("/v1/consents")).bearer_auth(&token).header("content-encoding", "gzip");
    let refused = bank.send(request.header("content-type", "application/json").body(consent_request())).await;
    assert_eq!(refused.refusal(), (415, "content_encoding_refused"));
    assert_eq!(refused.headers["accept-encoding"], "identity");
    assert!(refused.headers.contains_key("x-fapi-interaction-id"));
    let nowhere = bank.http.post(bank.url("/v1/nothing")).header("content-encoding", "gzip");
    assert_eq!(bank.send(nowhere.body(consent_request())).await.refusal(), (404, "route_not_found"));
    let token = bank.http.post(bank.url("/oauth2/token")).header("content-encoding", "gzip");
    let refused = bank.send(token.header("content-type", "application/x-www-form-urlencoded").body("x")).await;
    assert_eq!(refused.refusal(), (400, "invalid_request"));
    assert!(refused.json["error_description"].as_str().unwrap().contains("Content-Encoding"), "{:?}", refused.json);
}

/// A bank that requests digests of answers that have none by default, errors included.
async fn a_digest_is_sent_where_it_is_requested(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let get = async |path: &str, want: &str| {
        bank.send(bank.http.get(bank.url(path)).header("want-content-digest", want)).await
    };
    let schemes = get("/v1/schemes", "sha-512=10, sha-256=1").await;
    assert_eq!(schemes.headers["content-digest"], DigestAlgorithm::Sha512.field(&schemes.bytes));
    let missing = get("/v1/nothing", "sha-256=1").await;
    assert_eq!(missing.refusal(), (404, "route_not_found"));
    assert_eq!(missing.headers["content-digest"], content_digest(&missing.bytes));
    assert!(!get("/v1/schemes", "md5=1").await.headers.contains_key("content-digest"));
}

/// A bank that stores the answer to a request that it sent with a digest.
async fn an_answers_signature_covers_the_requests_digest(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let path = Bank::data(&consent, "grade");
    let (token, digest) = (bank.token().await, content_digest(b"asked"));
    let request = bank.http.get(bank.url(&path)).bearer_auth(&token).header("want-content-digest", "sha-512=1");
    let reply = bank.send(request.header("content-digest", &digest).body("asked")).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    assert_eq!(
        reply.headers["content-digest"],
        content_digest(&reply.bytes),
        "a data answer keeps the digest its record has"
    );
    let keys = app.app.keys.load();
    let key = keys.answer.public_key();
    let fields = SignatureFields {
        input: reply.headers["signature-input"].clone(),
        signature: reply.headers["signature"].clone(),
    };
    let covered = Covered {
        status: 200,
        content_digest: &reply.headers["content-digest"],
        interaction_id: &reply.headers["x-fapi-interaction-id"],
        disclosure: &reply.headers["medcredit-disclosure"],
        request: RequestFacts { method: "GET", target_uri: &bank.url(&path), digest: Some(&digest), signature: None },
    };
    verify(&covered, &fields, key.key_id(), key.suite(), key.der()).unwrap();
}
