//! docs/SIGNATURES.md: every vector on the page is what the gateway makes and takes.

use http::{HeaderMap, HeaderName, HeaderValue};
use medcredit::{
    domain::Timestamp,
    identity::{
        Jwk, KeyPair, Suite,
        assertion::ClientKeys,
        signature::{
            Covered, FieldPair, Message, RequestFacts, SignatureFields, content_digest,
            request::{Signing, sign_request, verify_request},
            verify,
        },
    },
};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/SIGNATURES.md");

/// The text of a fenced block, by the words behind its fence.
fn block(named: &str) -> Vec<&'static str> {
    let fence = format!("```{named}\n");
    let found: Vec<_> = PAGE.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(!found.is_empty(), "{named}");
    found
}

/// The first line, the fields and the body of a message on the page.
fn message(text: &str) -> (String, HeaderMap, String) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap().to_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
        headers.append(HeaderName::try_from(name.to_lowercase()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    (first, headers, body.to_owned())
}

#[test]
fn the_worked_request_is_signed_and_taken_as_the_page_says() {
    let mut jwk: Value = serde_json::from_str(block("json key")[0]).unwrap();
    let private = jwk.as_object_mut().unwrap().remove("d").unwrap();
    let private = data_encoding::BASE64URL_NOPAD.decode(private.as_str().unwrap().as_bytes()).unwrap();
    let (first, headers, _) = message(block("http")[0]);
    let text = |name: &str| headers[name].to_str().unwrap();
    let (body, target) = (block("text body")[0], "https://gateway.example/v1/consents");
    assert_eq!(first, "POST /v1/consents HTTP/1.1");
    assert_eq!(text("content-digest"), content_digest(body.as_bytes()));
    // Taken.
    let keys = ClientKeys::parse(&serde_json::json!({ "keys": [jwk] }).to_string()).unwrap();
    let seen = Message { method: "POST", target_uri: target, headers: &headers, has_content: true };
    let inspected = verify_request(&seen, &keys, Timestamp::from_seconds(1_780_000_005));
    assert_eq!(inspected.base.as_deref(), Some(block("text base")[0]));
    assert_eq!(inspected.outcome.unwrap().nonce.as_deref(), Some("4f1c9a0e"));
    // Made: Ed25519 is deterministic. RFC 8410's PKCS#8 of a seed.
    let pkcs8 = [data_encoding::HEXLOWER.decode(b"302e020100300506032b657004220420").unwrap(), private].concat();
    let signer = KeyPair::from_pkcs8(Suite::Ed25519, &pkcs8).unwrap();
    let signing = Signing {
        method: "POST",
        target_uri: target,
        authorization: text("authorization"),
        content_digest: Some(text("content-digest")),
        idempotency_key: Some(text("idempotency-key")),
        key_id: "bank-2026",
        nonce: Some("4f1c9a0e"),
    };
    let made = sign_request(&signing, &signer, Timestamp::from_seconds(1_780_000_000)).unwrap();
    assert_eq!((made.input.as_str(), made.signature.as_str()), (text("signature-input"), text("signature")));
}

#[test]
fn the_worked_answer_verifies_as_the_page_says() {
    let (first, headers, body) = message(block("http")[1]);
    let text = |name: &str| headers[name].to_str().unwrap();
    assert_eq!(first, "HTTP/1.1 200 OK");
    assert_eq!(text("content-digest"), content_digest(body.as_bytes()));
    let line = |base: &'static str, name: &str| {
        let found = base.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_else(|| panic!("{name}"))
    };
    let (asked, answer) = (block("text asked")[0], block("text answer")[0]);
    let request = RequestFacts {
        method: line(asked, "\"@method\""),
        target_uri: line(asked, "\"@target-uri\""),
        digest: None,
        signature: Some(FieldPair {
            input: line(answer, "\"signature-input\";req"),
            signature: line(answer, "\"signature\";req"),
        }),
    };
    let covered = Covered {
        status: 200,
        content_digest: text("content-digest"),
        interaction_id: text("x-fapi-interaction-id"),
        disclosure: text("medcredit-disclosure"),
        request,
    };
    let jwk: Jwk = serde_json::from_str(block("json answer-key")[0]).unwrap();
    let key = jwk.public_key().unwrap();
    assert_eq!(jwk.kid.as_deref(), Some(key.key_id()));
    let fields = SignatureFields { input: text("signature-input").into(), signature: text("signature").into() };
    let at = verify(&covered, &fields, key.key_id(), key.suite(), key.der()).unwrap();
    assert_eq!(at, Timestamp::from_seconds(1_780_000_000));
    assert!(
        request
            .signature
            .unwrap()
            .signature
            .contains(PAGE.split("and signature `").nth(1).unwrap().split('`').next().unwrap())
    );
    assert_eq!(line(answer, "\"@signature-params\""), &text("signature-input")["medcredit=".len()..]);
}

#[test]
fn every_code_of_a_refused_signature_is_explained() {
    let errors = include_str!("../../../docs/ERRORS.md");
    for kind in ["required", "malformed", "incomplete", "untimely", "invalid", "replayed"] {
        assert!(errors.contains(&format!("`request_signature_{kind}`")), "{kind}");
    }
}
