//! Requests signed by their bank (M1 to M3, A7 no. 35), through the real door.

use std::time::Duration;

use medcredit::{
    access::{self, SignedRequests},
    domain::Clock,
    identity::{
        KeyPair, Signer as _, Suite,
        signature::{
            Covered, FieldPair, RequestFacts, SignatureFields, content_digest,
            request::{Signing, sign_request},
            verify,
        },
    },
};
use serde_json::Value;

use crate::support::{
    TestStore,
    app::{Bank, Reply, TestApp},
    both_engines,
};

/// A bank that signs.
pub struct SigningBank {
    pub bank: Bank,
    pub token: String,
    key: KeyPair,
}

pub(super) fn key() -> KeyPair {
    KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap()
}

/// A key set with this key named `k1`.
pub(super) fn jwks(key: &KeyPair) -> String {
    let mut jwk = key.public_key().jwk();
    jwk.kid = Some("k1".into());
    serde_json::json!({ "keys": [jwk] }).to_string()
}

pub(super) async fn signer(app: &TestApp, name: &str, way: SignedRequests) -> SigningBank {
    signer_with(app, name, |new| new.signed_requests = way).await
}

/// A client that signs, after changing its registration.
pub async fn signer_with(app: &TestApp, name: &str, change: impl FnOnce(&mut access::NewClient)) -> SigningBank {
    let key = key();
    let bank = app
        .bank_with(name, |new| {
            new.jwks = Some(jwks(&key));
            change(new);
        })
        .await;
    let token = bank.token().await;
    SigningBank { bank, token, key }
}

/// What a test does differently.
#[derive(Default)]
pub(super) struct Twist<'a> {
    nonce: Option<&'a str>,
    key: Option<&'a KeyPair>,
    /// Sent in place of what was signed.
    sent_path: Option<&'a str>,
    /// Seconds added to the clock.
    created: i64,
}

impl SigningBank {
    pub(super) fn fields(
        &self,
        app: &TestApp,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        twist: &Twist<'_>,
    ) -> SignatureFields {
        let digest = body.map(content_digest);
        let signing = Signing {
            method,
            target_uri: &self.bank.url(path),
            authorization: &format!("Bearer {}", self.token),
            content_digest: digest.as_deref(),
            idempotency_key: None,
            key_id: "k1",
            nonce: twist.nonce,
        };
        let now = app.store.clock.now();
        let seconds = Duration::from_secs(twist.created.unsigned_abs());
        let at = if twist.created < 0 { now.minus(seconds) } else { now.plus(seconds) };
        sign_request(&signing, twist.key.unwrap_or(&self.key), at).unwrap()
    }

    pub(super) async fn send(
        &self,
        app: &TestApp,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        twist: Twist<'_>,
    ) -> Reply {
        let fields = self.fields(app, method, path, body, &twist);
        self.send_with(method, twist.sent_path.unwrap_or(path), body, Some(&fields)).await
    }

    /// Sends a signed POST of JSON.
    pub async fn post(&self, app: &TestApp, path: &str, body: &Value) -> Reply {
        self.send(app, "POST", path, Some(body.to_string().as_bytes()), Twist::default()).await
    }

    pub(super) async fn send_with(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        fields: Option<&SignatureFields>,
    ) -> Reply {
        let mut request = self.bank.http.request(method.parse().unwrap(), self.bank.url(path)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .header("content-digest", content_digest(body))
                .body(body.to_vec());
        }
        if let Some(fields) = fields {
            request = request.header("signature-input", &fields.input).header("signature", &fields.signature);
        }
        self.bank.send(request).await
    }
}

fn request_body() -> Vec<u8> {
    let body = serde_json::json!({
        "uscc": crate::support::app::ENTITY, "codes": [crate::support::app::HOSPITAL], "permissions": ["grade"],
        "purposes": ["pre_loan_review"], "product": "test",
    });
    body.to_string().into_bytes()
}

async fn required(store: TestStore) -> (TestApp, SigningBank) {
    let app =
        TestApp::start_with(store, "[limits]\nauthentication_failures = { quota = 1000, window_seconds = 1 }").await;
    let signer = signer(&app, "Bank A", SignedRequests::Required).await;
    (app, signer)
}

both_engines! {
    a_signed_request_is_answered_and_the_answer_names_it,
    what_is_not_well_signed_is_refused,
    a_signature_is_the_clients_own,
    a_nonce_is_good_once,
    an_operator_changes_the_way_and_the_keys,
    whoami_shows_the_signature_base,
}

/// A bank that signs everything: it reads, asks and ends, and the answer's signature covers its own (M2).
async fn a_signed_request_is_answered_and_the_answer_names_it(store: TestStore) {
    let (app, signer) = required(store).await;
    let consent = app.consent(&signer.bank, |_| {}).await;
    let path = Bank::data(&consent, "grade?purpose=pre_loan_review");
    let asked = signer.fields(&app, "GET", &path, None, &Twist::default());
    let reply = signer.send_with("GET", &path, None, Some(&asked)).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    assert!(reply.headers["signature-input"].contains(r#""signature";req "signature-input";req)"#));
    let keys = app.app.keys.load();
    let key = keys.answer.public_key();
    let fields = SignatureFields {
        input: reply.headers["signature-input"].clone(),
        signature: reply.headers["signature"].clone(),
    };
    let uri = signer.bank.url(&path);
    let covered = |signature: &str| {
        let covered = Covered {
            status: 200,
            content_digest: &reply.headers["content-digest"],
            interaction_id: &reply.headers["x-fapi-interaction-id"],
            disclosure: &reply.headers["medcredit-disclosure"],
            request: RequestFacts {
                method: "GET",
                target_uri: &uri,
                digest: None,
                signature: Some(FieldPair { input: &asked.input, signature }),
            },
        };
        verify(&covered, &fields, key.key_id(), key.suite(), key.der())
    };
    covered(&asked.signature).unwrap();
    let other = signer.fields(&app, "GET", &path, None, &Twist::default());
    assert!(covered(&other.signature).is_err(), "another request's signature is not the one that was answered");
    assert_eq!(signer.send(&app, "POST", "/v1/consents", Some(&request_body()), Twist::default()).await.status, 201);
    let ended = signer.send(&app, "DELETE", &format!("/v1/consents/{}", consent.id), None, Twist::default()).await;
    assert_eq!(ended.json["status"], "revoked", "{:?}", ended.json);
}

/// A bank whose requests must be signed, and are unsigned or wrongly signed. Each refusal has its code, explains the error, and changes nothing.
async fn what_is_not_well_signed_is_refused(store: TestStore) {
    let (app, signer) = required(store).await;
    let consent = app.consent(&signer.bank, |_| {}).await;
    let path = Bank::data(&consent, "grade");
    let refused = |reply: &Reply, code: &str| {
        assert_eq!(reply.refusal(), (401, code), "{:?}", reply.json);
        assert!(reply.headers["accept-signature"].contains("fapi-2-request"));
        assert!(reply.headers["www-authenticate"].starts_with("Bearer "));
    };
    refused(&signer.send_with("GET", &path, None, None).await, "request_signature_required");
    for (created, code) in [(-120, "request_signature_untimely"), (60, "request_signature_untimely")] {
        refused(&signer.send(&app, "GET", &path, None, Twist { created, ..Twist::default() }).await, code);
    }
    let elsewhere = Twist { sent_path: Some(&path), ..Twist::default() };
    refused(&signer.send(&app, "GET", "/v1/consents", None, elsewhere).await, "request_signature_invalid");
    let foreign = key();
    refused(
        &signer.send(&app, "GET", &path, None, Twist { key: Some(&foreign), ..Twist::default() }).await,
        "request_signature_invalid",
    );
    let good = signer.fields(&app, "GET", &path, None, &Twist::default());
    let with = |from: &str, to: &str| SignatureFields { input: good.input.replace(from, to), ..good.clone() };
    for (fields, code) in [
        (with("fapi-2-request", "other"), "request_signature_required"),
        (with("\"@method\" ", ""), "request_signature_incomplete"),
        (with("\"@target-uri\" ", ""), "request_signature_incomplete"),
        (with(" \"authorization\"", ""), "request_signature_incomplete"),
        (with("ecdsa-p256-sha256", "ed25519"), "request_signature_invalid"),
        (with("keyid=\"k1\"", "keyid=\"k2\""), "request_signature_invalid"),
        (SignatureFields { input: format!("sig1=(), {}", good.input), ..good.clone() }, "request_signature_malformed"),
    ] {
        refused(&signer.send_with("GET", &path, None, Some(&fields)).await, code);
    }
    // The body is not what was digested; its digest is not what was signed; it has none that was signed.
    let body = request_body();
    let fields = signer.fields(&app, "POST", "/v1/consents", Some(&body), &Twist::default());
    let request = signer
        .bank
        .http
        .post(signer.bank.url("/v1/consents"))
        .bearer_auth(&signer.token)
        .header("content-type", "application/json");
    let request = request.header("signature-input", &fields.input).header("signature", &fields.signature);
    let changed = request.try_clone().unwrap().header("content-digest", content_digest(&body)).body("{}");
    assert_eq!(signer.bank.send(changed).await.refusal(), (400, "content_digest_mismatch"));
    let changed = request.header("content-digest", content_digest(b"{}")).body("{}");
    refused(&signer.bank.send(changed).await, "request_signature_invalid");
    let unsigned = signer.fields(&app, "POST", "/v1/consents", None, &Twist::default());
    refused(
        &signer.send_with("POST", "/v1/consents", Some(&body), Some(&unsigned)).await,
        "request_signature_incomplete",
    );
    assert!(app.app.consents.list(signer.bank.id, None, 10).await.unwrap().len() == 1, "nothing was asked for");
}

/// A bank with another bank's signature, and one whose signatures are not looked at.
async fn a_signature_is_the_clients_own(store: TestStore) {
    let (app, one) = required(store).await;
    let other = signer(&app, "Bank B", SignedRequests::Required).await;
    let twist = || Twist { key: Some(&one.key), ..Twist::default() };
    assert_eq!(
        other.send(&app, "GET", "/v1/consents", None, twist()).await.refusal(),
        (401, "request_signature_invalid")
    );
    let allowed = signer(&app, "Bank C", SignedRequests::Allowed).await;
    assert_eq!(allowed.send_with("GET", "/v1/consents", None, None).await.status, 200);
    assert_eq!(allowed.send(&app, "GET", "/v1/consents", None, Twist::default()).await.status, 200);
    assert_eq!(
        allowed.send(&app, "GET", "/v1/consents", None, twist()).await.refusal(),
        (401, "request_signature_invalid")
    );
    let ignored = signer(&app, "Bank D", SignedRequests::Ignored).await;
    assert_eq!(ignored.send(&app, "GET", "/v1/consents", None, twist()).await.status, 200);
}

/// Somebody who repeats what was captured: a nonce is good once, in memory for reads and in the database for the rest.
async fn a_nonce_is_good_once(store: TestStore) {
    let (app, signer) = required(store).await;
    let once = || Twist { nonce: Some("n-1"), ..Twist::default() };
    for (method, path, body) in [("GET", "/v1/consents", None), ("POST", "/v1/consents", Some(request_body()))] {
        let fields = signer.fields(&app, method, path, body.as_deref(), &once());
        let first = signer.send_with(method, path, body.as_deref(), Some(&fields)).await;
        assert!(first.status < 300, "{:?}", first.json);
        let again = signer.send_with(method, path, body.as_deref(), Some(&fields)).await;
        assert_eq!(again.refusal(), (401, "request_signature_replayed"), "{method}");
    }
    // Another gateway on the same store knows it too.
    let fields = signer.fields(&app, "POST", "/v1/consents", Some(&request_body()), &once());
    let replayed = signer.send_with("POST", "/v1/consents", Some(&request_body()), Some(&fields)).await;
    assert_eq!(replayed.refusal(), (401, "request_signature_replayed"));
    // Without a nonce, equal requests of one second are two requests.
    let fields = signer.fields(&app, "GET", "/v1/consents", None, &Twist::default());
    for _ in 0..2 {
        assert_eq!(signer.send_with("GET", "/v1/consents", None, Some(&fields)).await.status, 200);
    }
}

/// An operator who opts a bank in, and changes its keys.
async fn an_operator_changes_the_way_and_the_keys(store: TestStore) {
    let app = TestApp::start(store).await;
    let plain = app.bank("Bank A").await;
    let token = plain.token().await;
    let change = async |id: medcredit::domain::ids::ClientId, what| {
        let (signed_requests, jwks) = what;
        let change = access::SigningChange { signed_requests, jwks };
        let done = access::change_signing(&app.store.env(), crate::support::tester(), None, &id, change).await;
        app.app.catch_up().await.unwrap();
        done
    };
    let without_keys = change(plain.id, (Some(SignedRequests::Required), None)).await.unwrap_err();
    assert!(without_keys.public.contains("JSON Web Key Set"), "{}", without_keys.public);
    let mut nameless: Value = serde_json::from_str(&jwks(&key())).unwrap();
    nameless["keys"][0].as_object_mut().unwrap().remove("kid");
    let nameless = change(plain.id, (Some(SignedRequests::Required), Some(nameless.to_string()))).await.unwrap_err();
    assert!(nameless.public.contains("kid"), "{}", nameless.public);
    let (old, new) = (key(), key());
    assert_eq!(
        change(plain.id, (Some(SignedRequests::Required), Some(jwks(&old)))).await.unwrap(),
        SignedRequests::Required
    );
    let mut signer = SigningBank { bank: plain, token, key: old };
    assert_eq!(
        signer.send_with("GET", "/v1/consents", None, None).await.refusal(),
        (401, "request_signature_required")
    );
    assert_eq!(signer.send(&app, "GET", "/v1/consents", None, Twist::default()).await.status, 200);
    change(signer.bank.id, (None, Some(jwks(&new)))).await.unwrap();
    assert_eq!(
        signer.send(&app, "GET", "/v1/consents", None, Twist::default()).await.refusal(),
        (401, "request_signature_invalid")
    );
    signer.key = new;
    assert_eq!(signer.send(&app, "GET", "/v1/consents", None, Twist::default()).await.status, 200);
}

/// A bank's engineer in search of an error: the gateway shows the text that it would verify, without the token.
async fn whoami_shows_the_signature_base(store: TestStore) {
    let (app, signer) = required(store).await;
    let good = signer.send(&app, "GET", "/v1/whoami", None, Twist::default()).await;
    let seen = &good.json["request_signature"];
    assert_eq!(
        (&seen["requests"], &seen["valid"], &seen["key_id"]),
        (&"required".into(), &true.into(), &"k1".into()),
        "{seen}"
    );
    let base = seen["signature_base"].as_str().unwrap();
    assert!(
        base.starts_with(&format!(
            "\"@method\": GET\n\"@target-uri\": {}\n\"authorization\": (left out)\n",
            signer.bank.url("/v1/whoami")
        )),
        "{base}"
    );
    assert!(!good.json.to_string().contains(&signer.token));
    let wrong = signer
        .send(&app, "GET", "/v1/schemes", None, Twist { sent_path: Some("/v1/whoami"), ..Twist::default() })
        .await;
    assert_eq!(wrong.json["request_signature"]["valid"], false);
    assert!(wrong.json["request_signature"]["problem"].as_str().unwrap().contains("does not verify"));
    let plain = signer.send_with("GET", "/v1/whoami", None, None).await;
    assert_eq!(plain.json["request_signature"]["present"], false);
}
