//! `x-fapi-interaction-id` on every answer (M10).

use crate::support::{
    TestStore,
    app::{Bank, Reply, TestApp},
    both_engines,
    logs::never_logged,
};

const SENT: &str = "3B1F7C52-6a0e-4c1d-9c57-1f2f6a5d8e90";
const KNOWN: &str = "3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90";

fn id(reply: &Reply) -> &str {
    &reply.headers["x-fapi-interaction-id"]
}

/// Requests that get every kind of answer: success, errors of handlers, extractors, router, listener and OAuth.
async fn every_kind(bank: &Bank, token: &str, sent: Option<&str>) -> Vec<(&'static str, Reply)> {
    let large = "x".repeat(300_000);
    let requests = [
        ("200", bank.http.get(bank.url("/v1/consents")).bearer_auth(token)),
        ("404 of a consent", bank.http.get(bank.url("/v1/consents/con_x/grade")).bearer_auth(token)),
        ("401", bank.http.get(bank.url("/v1/consents"))),
        ("400 of a query", bank.http.get(bank.url("/v1/consents?x=1")).bearer_auth(token)),
        ("415", bank.http.post(bank.url("/v1/consents")).bearer_auth(token).body("x")),
        ("404 of the router", bank.http.get(bank.url("/v2/nothing"))),
        ("405", bank.http.put(bank.url("/v1/consents"))),
        ("413 of the listener", bank.http.post(bank.url("/v1/consents")).bearer_auth(token).body(large)),
        ("200 of OAuth", bank.http.get(bank.url("/.well-known/jwks.json"))),
        (
            "400 of OAuth",
            bank.http.post(bank.url("/oauth2/token")).header("content-type", "application/x-www-form-urlencoded"),
        ),
    ];
    let mut replies = Vec::new();
    for (what, request) in requests {
        let request = match sent {
            Some(sent) => request.header("x-fapi-interaction-id", sent),
            None => request,
        };
        replies.push((what, bank.send(request).await));
    }
    replies
}

both_engines! {
    is_on_every_answer,
    is_logged_without_a_method_that_is_a_text_of_the_senders,
}

/// A client that sends an institution's code in place of a method (I8).
async fn is_logged_without_a_method_that_is_a_text_of_the_senders(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let method = never_logged("H33030290099-A-METHOD".to_owned());
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    for path in ["/v1/consents", "/v1/nothing", "/oauth2/token"] {
        let reply = bank.send(bank.http.request(method.clone(), bank.url(path)).bearer_auth(&token)).await;
        assert!(matches!(reply.status, 404 | 405), "{path}: {:?}", reply.json);
    }
}

/// A bank that sends ids, one that does not, and one whose ids are malformed.
async fn is_on_every_answer(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    for (what, reply) in every_kind(&bank, &token, Some(SENT)).await {
        assert_eq!(id(&reply), KNOWN, "{what}");
        assert!(reply.status == what[..3].parse::<u16>().unwrap(), "{what}: {} {:?}", reply.status, reply.json);
        if reply.headers["content-type"] == "application/problem+json" {
            assert_eq!(reply.json["instance"], format!("urn:uuid:{KNOWN}"), "{what}");
        }
    }
    let long = "a".repeat(5_000);
    for sent in [None, Some("not-a-uuid"), Some(""), Some("{3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90}"), Some(&long)] {
        for (what, reply) in every_kind(&bank, &token, sent).await {
            let made = uuid::Uuid::parse_str(id(&reply)).unwrap();
            assert_eq!((made.get_version_num(), made.hyphenated().to_string().as_str()), (4, id(&reply)), "{what}");
            assert_ne!(id(&reply), KNOWN);
        }
    }
    // Two ids count as none.
    let twice = bank
        .http
        .get(bank.url("/v1/schemes"))
        .header("x-fapi-interaction-id", SENT)
        .header("x-fapi-interaction-id", SENT);
    assert_ne!(id(&bank.send(twice).await), KNOWN);
}
