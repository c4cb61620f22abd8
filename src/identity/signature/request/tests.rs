//! Row 35 of the negative-test matrix, without a network.

use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::identity::{KeyPair, Suite, signature::content_digest};

const NOW: i64 = 1_780_000_000;
const URI: &str = "https://gateway.test/v1/consents?x=1";
const BODY: &[u8] = b"{}";

fn key(suite: Suite) -> KeyPair {
    KeyPair::from_pkcs8(suite, &KeyPair::generate(suite).unwrap()).unwrap()
}

/// A key set with one key and its kid.
fn registered(key: &KeyPair, kid: &str) -> ClientKeys {
    let mut jwk = key.public_key().jwk();
    jwk.kid = Some(kid.into());
    ClientKeys::parse(&serde_json::json!({ "keys": [jwk] }).to_string()).unwrap()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn check(headers: &HeaderMap, keys: &ClientKeys) -> Result<SignedRequest, RequestRefusal> {
    let message = Message { method: "POST", target_uri: URI, headers, has_content: true };
    verify_request(&message, keys, Timestamp::from_seconds(NOW)).outcome
}

/// Signs components with parameters, as any RFC 9421 library would.
fn signed(key: &KeyPair, components: &[&str], parameters: &str, extra: &[(&str, &str)]) -> HeaderMap {
    let digest = content_digest(BODY);
    let mut headers = headers(&[("authorization", "Bearer t"), ("content-digest", &digest)]);
    for (name, value) in extra {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let names: Vec<_> = components.iter().map(|name| format!("\"{name}\"")).collect();
    let input = format!("({}){parameters}", names.join(" "));
    let mut base = String::new();
    for name in components {
        let value = match *name {
            "@method" => "POST".to_owned(),
            "@target-uri" => URI.to_owned(),
            name => combined_value(&headers, &HeaderName::try_from(name).unwrap()).unwrap(),
        };
        base = base + "\"" + name + "\": " + &value + "\n";
    }
    let base = base + "\"@signature-params\": " + &input;
    let signature = BASE64.encode(&key.sign(base.as_bytes()).unwrap());
    headers.append("signature-input", HeaderValue::from_str(&format!("sig1={input}")).unwrap());
    headers.append("signature", HeaderValue::from_str(&format!("sig1=:{signature}:")).unwrap());
    headers
}

const ALL: &[&str] = &["@method", "@target-uri", "authorization", "content-digest"];

fn parameters(created: i64) -> String {
    format!(";created={created};keyid=\"k1\";tag=\"fapi-2-request\"")
}

#[test]
fn a_request_signed_by_sign_request_is_accepted_with_either_suite() {
    for suite in [Suite::Es256, Suite::Ed25519] {
        let key = key(suite);
        let digest = content_digest(BODY);
        let signing = Signing {
            method: "POST",
            target_uri: URI,
            authorization: "Bearer t",
            content_digest: Some(&digest),
            idempotency_key: Some("\"one\""),
            key_id: "k1",
            nonce: Some("n-1"),
        };
        let fields = sign_request(&signing, &key, Timestamp::from_seconds(NOW - 5)).unwrap();
        let headers = headers(&[
            ("authorization", "Bearer t"),
            ("content-digest", &digest),
            ("idempotency-key", "\"one\""),
            ("signature-input", &fields.input),
            ("signature", &fields.signature),
        ]);
        let request = check(&headers, &registered(&key, "k1")).unwrap();
        assert_eq!(request.nonce.as_deref(), Some("n-1"));
        assert_eq!(request.until, Timestamp::from_seconds(NOW + 55));
        assert_eq!((request.input, request.signature), (fields.input, fields.signature));
    }
}

#[test]
fn each_component_and_parameter_is_required() {
    // M1.
    let key = key(Suite::Es256);
    let keys = registered(&key, "k1");
    assert!(check(&signed(&key, ALL, &parameters(NOW), &[]), &keys).is_ok());
    for missing in ALL {
        let rest: Vec<_> = ALL.iter().copied().filter(|name| name != missing).collect();
        assert_eq!(
            check(&signed(&key, &rest, &parameters(NOW), &[]), &keys).unwrap_err(),
            RequestRefusal::Uncovered(missing)
        );
    }
    let with_key = signed(&key, ALL, &parameters(NOW), &[("idempotency-key", "\"x\"")]);
    assert_eq!(check(&with_key, &keys).unwrap_err(), RequestRefusal::Uncovered("idempotency-key"));
    for (parameters, refusal) in [
        (";keyid=\"k1\";tag=\"fapi-2-request\"", RequestRefusal::Uncovered("created")),
        (&format!(";created={NOW};tag=\"fapi-2-request\""), RequestRefusal::Uncovered("keyid")),
        (&format!(";created={NOW};keyid=\"k1\""), RequestRefusal::Missing),
        (&format!(";created={NOW};keyid=\"k1\";tag=\"other\""), RequestRefusal::Missing),
    ] {
        assert_eq!(check(&signed(&key, ALL, parameters, &[]), &keys).unwrap_err(), refusal, "{parameters}");
    }
}

#[test]
fn a_signature_is_neither_too_old_nor_from_the_future() {
    // M1, K4.
    let key = key(Suite::Es256);
    let keys = registered(&key, "k1");
    for (created, good) in [(-60, true), (-61, false), (-120, false), (10, true), (11, false), (3600, false)] {
        let outcome = check(&signed(&key, ALL, &parameters(NOW + created), &[]), &keys);
        assert_eq!(outcome.is_ok(), good, "{created}");
        if let Err(refusal) = outcome {
            assert_eq!(refusal.code(), "request_signature_untimely");
        }
    }
    for (expires, good) in [(0, true), (-1, false)] {
        let parameters = format!("{};expires={}", parameters(NOW - 5), NOW + expires);
        assert_eq!(check(&signed(&key, ALL, &parameters, &[]), &keys).is_ok(), good, "{expires}");
    }
    let text = format!(";created=\"{NOW}\";keyid=\"k1\";tag=\"fapi-2-request\"");
    assert_eq!(check(&signed(&key, ALL, &text, &[]), &keys).unwrap_err().code(), "request_signature_malformed");
}

#[test]
fn the_key_is_registered_and_decides_the_algorithm() {
    let (ours, other) = (key(Suite::Es256), key(Suite::Es256));
    let keys = registered(&ours, "k1");
    let invalid =
        |headers: &HeaderMap| assert_eq!(check(headers, &keys).unwrap_err().code(), "request_signature_invalid");
    // Another key with the registered kid, the registered key with another kid.
    invalid(&signed(&other, ALL, &parameters(NOW), &[]));
    invalid(&signed(&ours, ALL, &parameters(NOW).replace("k1", "k2"), &[]));
    let with = |alg: &str| signed(&ours, ALL, &format!("{};alg={alg}", parameters(NOW)), &[]);
    assert!(check(&with("\"ecdsa-p256-sha256\""), &keys).is_ok());
    for alg in ["\"ed25519\"", "\"hmac-sha256\"", "\"ES256\"", "1"] {
        invalid(&with(alg));
    }
}

#[test]
fn a_request_changed_after_signing_is_refused() {
    let key = key(Suite::Ed25519);
    let keys = registered(&key, "k1");
    let good = signed(&key, ALL, &parameters(NOW), &[]);
    for (name, value) in
        [("authorization", "Bearer u"), ("content-digest", "sha-256=:AAAA:"), ("signature", "sig1=:AAAA:")]
    {
        let mut changed = good.clone();
        changed.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        assert_eq!(check(&changed, &keys).unwrap_err(), RequestRefusal::Mismatch, "{name}");
    }
    let message = Message { method: "PUT", target_uri: URI, headers: &good, has_content: true };
    let inspected = verify_request(&message, &keys, Timestamp::from_seconds(NOW));
    assert_eq!(inspected.outcome.unwrap_err(), RequestRefusal::Mismatch);
    assert!(inspected.base.unwrap().starts_with("\"@method\": PUT\n"));
    let elsewhere = Message { method: "POST", target_uri: "https://other.test/v1/consents?x=1", ..message };
    assert!(verify_request(&elsewhere, &keys, Timestamp::from_seconds(NOW)).outcome.is_err());
}

#[test]
fn ambiguity_is_refused_and_other_tags_are_ignored() {
    // M3.
    let key = key(Suite::Es256);
    let keys = registered(&key, "k1");
    let good = signed(&key, ALL, &parameters(NOW), &[]);
    let text = |name: &str| good[name].to_str().unwrap().to_owned();
    let with = |input: &str, signature: &str| {
        let mut changed = good.clone();
        changed.insert("signature-input", HeaderValue::from_str(input).unwrap());
        changed.insert("signature", HeaderValue::from_str(signature).unwrap());
        changed
    };
    let malformed = |headers: &HeaderMap| {
        assert_eq!(check(headers, &keys).unwrap_err().code(), "request_signature_malformed", "{headers:?}");
    };
    let (input, signature) = (text("signature-input"), text("signature"));
    malformed(&with(&format!("sig1=(), {input}"), &signature));
    malformed(&with(&input, &format!("sig1=:AAAA:, {signature}")));
    malformed(&with(&input, "other=:AAAA:"));
    malformed(&with(&input, "sig1=AAAA"));
    malformed(&with("sig1=(", &signature));
    let mut lines = good.clone();
    lines.append("signature", HeaderValue::from_static("sig1=:AAAA:"));
    malformed(&lines);
    malformed(&signed(&key, &[ALL, &["authorization"]].concat(), &parameters(NOW), &[]));
    // The signature of a proxy, before or after the client's, is ignored.
    let foreign = "proxy=(\"@status\");tag=\"proxy\"";
    assert!(check(&with(&format!("{foreign}, {input}"), &signature), &keys).is_ok());
    assert!(check(&with(&format!("{input}, {foreign}"), &format!("{signature}, proxy=:AAAA:")), &keys).is_ok());
    // One valid signature is enough, whatever the others are.
    let bad = input.replacen("sig1", "sig0", 1).replace(&NOW.to_string(), &(NOW - 999).to_string());
    assert!(check(&with(&format!("{bad}, {input}"), &format!("sig0=:AAAA:, {signature}")), &keys).is_ok());
    let many: Vec<_> = (0..9).map(|n| format!("s{n}=()")).collect();
    malformed(&with(&format!("{}, {input}", many.join(", ")), &signature));
}

#[test]
fn unsupported_components_are_named_in_the_refusal() {
    let key = key(Suite::Es256);
    let keys = registered(&key, "k1");
    let good = signed(&key, ALL, &parameters(NOW), &[]);
    for (component, said) in [
        ("\"x-absent\"", "x-absent"),
        ("\"@status\"", "@status"),
        ("\"@query-param\";name=\"x\"", "parameters"),
        ("\"authorization\";bs", "parameters"),
        ("token", "string"),
    ] {
        let mut changed = good.clone();
        let input =
            good["signature-input"].to_str().unwrap().replace("(\"@method\"", &format!("({component} \"@method\""));
        changed.insert("signature-input", HeaderValue::from_str(&input).unwrap());
        let refusal = check(&changed, &keys).unwrap_err();
        assert!(matches!(&refusal, RequestRefusal::Malformed(text) if text.contains(said)), "{component}: {refusal}");
    }
}
