//! Tokens that must be refused, by the numbers of the negative-test matrix.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::*;
use crate::{
    domain::{ManualClock, SeededEntropy},
    identity::KeyPair,
};

const NOW: i64 = 1_780_000_000;
const ISSUER: &str = "https://gateway.test";

struct Fixture {
    pair: KeyPair,
    keys: VerificationKeys,
    claims: AccessClaims,
}

fn fixture() -> Fixture {
    let pkcs8 = KeyPair::generate(Suite::Es256).unwrap();
    let pair = KeyPair::from_pkcs8(Suite::Es256, &pkcs8).unwrap();
    let keys = VerificationKeys::new([pair.public_key()]);
    let clock = ManualClock::new(Timestamp::from_seconds(NOW));
    let entropy = SeededEntropy::new(7);
    let client = ClientId::new(&*clock, &*entropy);
    let claims = AccessClaims {
        iss: ISSUER.into(),
        aud: ISSUER.into(),
        sub: client.to_string(),
        client_id: client,
        iat: NOW,
        nbf: None,
        exp: NOW + 300,
        jti: TokenId::new(&*clock, &*entropy),
        scope: "grade:read".into(),
        cnf: Confirmation { x5t_s256: "thumb".into() },
        authorization_details: None,
    };
    Fixture { pair, keys, claims }
}

impl Fixture {
    fn verify(&self, token: &str) -> Result<AccessClaims, TokenRefusal> {
        let expected = Expected { issuer: ISSUER.into(), audience: ISSUER.into() };
        verify_access_token(token, &self.keys, &expected, Timestamp::from_seconds(NOW)).map(|(claims, _)| claims)
    }

    /// A token with any header and claims, signed with the right key.
    fn signed(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": "ES256", "kid": self.pair.key_id() })
    }

    fn claims(&self) -> Value {
        serde_json::to_value(&self.claims).unwrap()
    }

    fn refusal_of(&self, header: &Value, claims: &Value) -> TokenRefusal {
        self.verify(&self.signed(header, claims)).unwrap_err()
    }

    fn with(&self, name: &str, value: Value) -> Result<AccessClaims, TokenRefusal> {
        let mut claims = self.claims();
        claims[name] = value;
        self.verify(&self.signed(&self.header(), &claims))
    }
}

#[test]
fn a_signed_token_verifies() {
    let fixture = fixture();
    let token = sign_jwt(ACCESS_TOKEN_TYPE, &fixture.claims, &fixture.pair).unwrap();
    assert_eq!(fixture.verify(&token).unwrap(), fixture.claims);
}

/// 14: a token without `cnf`.
#[test]
fn a_token_without_a_certificate_binding_is_malformed() {
    let fixture = fixture();
    let mut claims = fixture.claims();
    claims.as_object_mut().unwrap().remove("cnf");
    assert_eq!(fixture.refusal_of(&fixture.header(), &claims), TokenRefusal::Malformed);
}

/// 15: `alg: none`.
#[test]
fn an_unsigned_token_is_refused() {
    let fixture = fixture();
    let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let token = format!(
        "{}.{}.",
        part(json!({ "typ": "at+jwt", "alg": "none", "kid": fixture.pair.key_id() })),
        part(fixture.claims())
    );
    assert_eq!(fixture.verify(&token).unwrap_err(), TokenRefusal::Malformed);
}

/// 16: HS256 with the public key as the secret.
#[test]
fn a_symmetric_signature_with_the_public_key_is_refused() {
    let fixture = fixture();
    for secret in [fixture.pair.public_key_der(), fixture.pair.public_key().raw()] {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some("at+jwt".into());
        header.kid = Some(fixture.pair.key_id().to_owned());
        let token =
            jsonwebtoken::encode(&header, &fixture.claims, &jsonwebtoken::EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(fixture.verify(&token).unwrap_err(), TokenRefusal::UnknownKey);
    }
}

/// 17: a wrong `typ`, or none.
#[test]
fn a_token_of_another_type_is_refused() {
    let fixture = fixture();
    for typ in [json!("JWT"), json!("at+jwt2"), Value::Null] {
        let mut header = fixture.header();
        header["typ"] = typ;
        assert_eq!(fixture.refusal_of(&header, &fixture.claims()), TokenRefusal::WrongType);
    }
}

/// 18 and 19: another audience, another issuer.
#[test]
fn a_token_with_another_audience_or_issuer_is_refused() {
    let fixture = fixture();
    assert_eq!(fixture.with("aud", json!("https://other.test")).unwrap_err(), TokenRefusal::Audience);
    assert_eq!(fixture.with("iss", json!("https://other.test")).unwrap_err(), TokenRefusal::Issuer);
}

/// 20: expired, without leeway.
#[test]
fn a_token_expires_in_the_second_of_exp() {
    let fixture = fixture();
    assert!(fixture.with("exp", json!(NOW + 1)).is_ok());
    assert_eq!(fixture.with("exp", json!(NOW)).unwrap_err(), TokenRefusal::Expired);
}

/// 21 and 22 (K4): a clock 9 s ahead is accepted, one 61 s ahead is not.
#[test]
fn a_clock_slightly_ahead_is_accepted() {
    let fixture = fixture();
    for name in ["iat", "nbf"] {
        assert!(fixture.with(name, json!(NOW + 9)).is_ok());
        assert!(fixture.with(name, json!(NOW + 10)).is_ok());
        assert_eq!(fixture.with(name, json!(NOW + 61)).unwrap_err(), TokenRefusal::NotYetValid);
    }
}

/// 24: an unknown `crit`, and keys that the header refers to.
#[test]
fn a_header_with_extensions_or_its_own_key_is_refused() {
    let fixture = fixture();
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("jku", json!("https://attacker.test/keys")),
        ("x5u", json!("https://attacker.test/cert")),
        ("jwk", serde_json::to_value(fixture.pair.public_key().jwk()).unwrap()),
    ] {
        let mut header = fixture.header();
        header[name] = value;
        let refusal = fixture.refusal_of(&header, &fixture.claims());
        assert!(matches!(refusal, TokenRefusal::Header | TokenRefusal::Malformed), "{name}: {refusal}");
    }
}

/// 26: claims of the wrong type (CVE-2026-25537).
#[test]
fn a_time_that_is_not_a_number_is_malformed() {
    let fixture = fixture();
    for (name, value) in [
        ("exp", json!((NOW + 300).to_string())),
        ("exp", json!(1e300)),
        ("nbf", json!("0")),
        ("iat", json!(true)),
        ("jti", json!("not an id")),
        ("client_id", json!("H33030200090")),
    ] {
        assert_eq!(fixture.with(name, value).unwrap_err(), TokenRefusal::Malformed, "{name}");
    }
}

#[test]
fn a_token_of_an_unknown_key_or_with_a_changed_claim_is_refused() {
    let fixture = fixture();
    let other = self::fixture();
    let token = sign_jwt(ACCESS_TOKEN_TYPE, &other.claims, &other.pair).unwrap();
    assert_eq!(fixture.verify(&token).unwrap_err(), TokenRefusal::UnknownKey);
    let token = sign_jwt(ACCESS_TOKEN_TYPE, &fixture.claims, &fixture.pair).unwrap();
    let mut parts: Vec<&str> = token.split('.').collect();
    let mut claims = fixture.claims();
    claims["scope"] = json!("grade:read settlements:read");
    let changed = BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
    parts[1] = &changed;
    assert_eq!(fixture.verify(&parts.join(".")).unwrap_err(), TokenRefusal::Signature);
    for garbage in ["", ".", "..", "a.b.c", "é.é.é"] {
        assert_eq!(fixture.verify(garbage).unwrap_err(), TokenRefusal::Malformed, "{garbage:?}");
    }
}
