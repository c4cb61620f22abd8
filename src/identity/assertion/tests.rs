//! Assertions that must be accepted or refused, and keys that must not be registered.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::*;
use crate::{
    domain::{ManualClock, SeededEntropy},
    identity::{KeyPair, Signer as _, Suite},
};

const NOW: i64 = 1_780_000_000;
const ISSUER: &str = "https://gateway.test";
const ENDPOINT: &str = "https://gateway.test/oauth2/token";

fn pair(suite: Suite) -> KeyPair {
    KeyPair::from_pkcs8(suite, &KeyPair::generate(suite).unwrap()).unwrap()
}

fn client() -> ClientId {
    ClientId::new(&*ManualClock::new(Timestamp::from_seconds(NOW)), &*SeededEntropy::new(3))
}

fn jwks(pairs: &[&KeyPair]) -> String {
    let keys: Vec<Value> = pairs
        .iter()
        .map(|pair| {
            let mut jwk = serde_json::to_value(pair.public_key().jwk()).unwrap();
            if pair.suite() == Suite::Ed25519 {
                jwk["alg"] = json!("EdDSA");
            }
            jwk
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

fn claims() -> Value {
    let client = client().to_string();
    json!({ "iss": client, "sub": client, "aud": ISSUER, "iat": NOW, "exp": NOW + 60, "jti": "one" })
}

fn signed(pair: &KeyPair, claims: &Value) -> String {
    let alg = if pair.suite() == Suite::Es256 { "ES256" } else { "EdDSA" };
    let header = json!({ "alg": alg, "kid": pair.key_id() });
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let message = format!("{}.{}", part(&header), part(claims));
    let signature = pair.sign(message.as_bytes()).unwrap();
    format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn verify(pair: &KeyPair, claims: &Value) -> Result<Assertion, TokenRefusal> {
    let keys = ClientKeys::parse(&jwks(&[pair])).unwrap();
    verify_assertion(&signed(pair, claims), &client(), &keys, &[ISSUER, ENDPOINT], Timestamp::from_seconds(NOW))
}

/// 28 (K3): the audience is the issuer or the token endpoint, alone or in an array.
#[test]
fn an_assertion_has_one_of_four_forms_of_audience() {
    for suite in [Suite::Es256, Suite::Ed25519] {
        let pair = pair(suite);
        for audience in [json!(ISSUER), json!(ENDPOINT), json!([ISSUER]), json!(["https://other.test", ENDPOINT])] {
            let mut claims = claims();
            claims["aud"] = audience;
            assert_eq!(verify(&pair, &claims).unwrap().jti, "one");
        }
        let mut claims = claims();
        claims["aud"] = json!(["https://other.test"]);
        assert_eq!(verify(&pair, &claims).unwrap_err(), TokenRefusal::Audience);
    }
}

#[test]
fn an_assertion_with_a_wrong_client_time_or_claim_is_refused() {
    let pair = pair(Suite::Es256);
    for (name, value, refusal) in [
        ("iss", json!("cli_other"), TokenRefusal::Issuer),
        ("sub", json!("cli_other"), TokenRefusal::Issuer),
        ("exp", json!(NOW), TokenRefusal::Expired),
        ("exp", json!(NOW + MAX_LIFETIME_SECONDS + 1), TokenRefusal::Malformed),
        ("nbf", json!(NOW + 61), TokenRefusal::NotYetValid),
        ("iat", json!(NOW + 61), TokenRefusal::NotYetValid),
        ("exp", json!("1780000060"), TokenRefusal::Malformed),
        ("jti", json!(""), TokenRefusal::Malformed),
        ("jti", json!("x".repeat(257)), TokenRefusal::Malformed),
    ] {
        let mut claims = claims();
        claims[name] = value;
        assert_eq!(verify(&pair, &claims).unwrap_err(), refusal, "{name}");
    }
}

#[test]
fn an_assertion_signed_with_an_unregistered_key_is_refused() {
    let keys = ClientKeys::parse(&jwks(&[&pair(Suite::Es256)])).unwrap();
    let stranger = signed(&pair(Suite::Es256), &claims());
    let refusal = verify_assertion(&stranger, &client(), &keys, &[ISSUER], Timestamp::from_seconds(NOW)).unwrap_err();
    assert_eq!(refusal, TokenRefusal::UnknownKey);
}

/// 23 (K11): a kid shared by keys of different types still selects the right key; the same kid twice is refused.
#[test]
fn a_key_is_found_by_its_type_too() {
    let (ec, ed) = (pair(Suite::Es256), pair(Suite::Ed25519));
    let mut set: Value = serde_json::from_str(&jwks(&[&ec, &ed])).unwrap();
    set["keys"][1]["kid"] = json!(ec.key_id());
    assert!(ClientKeys::parse(&set.to_string()).unwrap_err().reason.contains("twice"));
    let keys = ClientKeys(
        [&ec, &ed]
            .into_iter()
            .flat_map(|pair| ClientKeys::parse(&jwks(&[pair])).unwrap().0)
            .map(|(_, algorithm, key)| (Some(ec.key_id().to_owned()), algorithm, key))
            .collect(),
    );
    let verified = verify_assertion(&signed(&ec, &claims()), &client(), &keys, &[ISSUER], Timestamp::from_seconds(NOW));
    assert_eq!(verified.unwrap().jti, "one");
}

/// T9, K5, K11: unsafe keys are refused, each with its reason.
#[test]
fn unsafe_keys_are_refused_with_the_reason() {
    let rsa = |bits: usize| {
        let modulus = BASE64URL_NOPAD.encode(&vec![0xff; bits / 8]);
        json!({ "kty": "RSA", "n": modulus, "e": "AQAB", "alg": "PS256" })
    };
    assert!(ClientKeys::parse(&json!({ "keys": [rsa(2048)] }).to_string()).is_ok());
    let ec = serde_json::to_value(pair(Suite::Es256).public_key().jwk()).unwrap();
    let changed = |name: &str, value: Value| {
        let mut key = ec.clone();
        key[name] = value;
        key
    };
    for (key, reason) in [
        (rsa(1024), "1024 bits"),
        (json!({ "kty": "oct", "k": "c2VjcmV0" }), "not have \"k\""),
        (changed("d", json!("AAAA")), "not have \"d\""),
        (changed("x5u", json!("https://attacker.test")), "not have \"x5u\""),
        (changed("use", json!("enc")), "not sig"),
        (changed("alg", json!("ES384")), "alg"),
        (json!({ "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" }), "ES256"),
    ] {
        let refusal = ClientKeys::parse(&json!({ "keys": [key] }).to_string()).unwrap_err();
        assert!(refusal.reason.contains(reason), "{refusal} lacks {reason}");
        assert_eq!(refusal.position, 1);
    }
    assert!(ClientKeys::parse("{}").is_err());
    assert!(ClientKeys::parse(r#"{"keys":[]}"#).unwrap_err().reason.contains("empty"));
}
