//! The registered keys of clients, and the assertions that clients sign with them (`private_key_jwt`, RFC 7523, FAPI
//! 2.0 section 5.3.2.1).

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;

use crate::domain::{Timestamp, ids::ClientId};
use crate::identity::{
    suite::Suite,
    token::{TokenRefusal, check_header, check_times, signature_only},
};

/// The longest validity of an assertion. It bounds how long its `jti` must be remembered.
pub const MAX_LIFETIME_SECONDS: i64 = 600;

/// Why a key set is refused at registration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {position}: {reason}")]
pub struct KeyRefusal {
    /// The key in the set, counted from 1; 0 for the set itself.
    pub position: usize,
    /// The fault.
    pub reason: String,
}

/// A client's registered public keys.
#[derive(Clone, Default)]
pub struct ClientKeys(Vec<(Option<String>, Algorithm, DecodingKey)>);

impl std::fmt::Debug for ClientKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(kid, algorithm, _)| (kid, algorithm))).finish()
    }
}

impl ClientKeys {
    /// Parses a JSON Web Key Set. Symmetric, weak (T9) and remote keys and duplicate identifiers (K11) are refused.
    pub fn parse(jwks: &str) -> Result<Self, KeyRefusal> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_str(jwks)
            .map_err(|error| KeyRefusal { position: 0, reason: format!("not a JSON Web Key Set: {error}") })?;
        if set.keys.is_empty() {
            return Err(KeyRefusal { position: 0, reason: "the set is empty".into() });
        }
        let mut keys: Vec<(Option<String>, Algorithm, DecodingKey)> = Vec::with_capacity(set.keys.len());
        for (at, value) in set.keys.into_iter().enumerate() {
            let refuse = |reason: String| KeyRefusal { position: at + 1, reason };
            let key = parse_key(value).map_err(refuse)?;
            // Of two keys with one kid, the order in the set would decide which one verifies. Keys without a kid are
            // tried in turn.
            if key.0.is_some() && keys.iter().any(|(kid, ..)| *kid == key.0) {
                return Err(KeyRefusal { position: at + 1, reason: "its kid occurs twice in the set".into() });
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// Returns the key with this id.
    pub fn find(&self, kid: &str) -> Option<MessageKey<'_>> {
        let found = self.0.iter().find(|(name, ..)| name.as_deref() == Some(kid));
        // The algorithm is that of the registered key: a signer cannot choose a weaker one by naming it.
        found.map(|(_, algorithm, key)| MessageKey { algorithm: *algorithm, key })
    }

    /// Whether there are keys and all of them have ids, as signed requests require.
    pub fn all_have_ids(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|(kid, ..)| kid.is_some())
    }

    fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &DecodingKey> {
        // The algorithm must match too, in case a kid is ambiguous (K11).
        self.0
            .iter()
            .filter(move |(name, alg, _)| *alg == algorithm && (kid.is_none() || name.as_deref() == kid))
            .map(|(.., key)| key)
    }
}

/// A key of a client, for verifying signed requests.
#[derive(Clone, Copy)]
pub struct MessageKey<'a> {
    algorithm: Algorithm,
    key: &'a DecodingKey,
}

impl MessageKey<'_> {
    /// The algorithm's name in RFC 9421's registry. PS256 is not registered; the key alone decides then (section
    /// 3.3.7).
    pub fn http_algorithm(&self) -> Option<&'static str> {
        match self.algorithm {
            Algorithm::ES256 => Some(Suite::Es256.http_name()),
            Algorithm::EdDSA => Some(Suite::Ed25519.http_name()),
            _ => None,
        }
    }

    /// Whether a signature of the message verifies with this key and the key's algorithm.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = data_encoding::BASE64URL_NOPAD.encode(signature);
        // A signature that cannot be parsed does not verify.
        jsonwebtoken::crypto::verify(&signature, message, self.key, self.algorithm).unwrap_or(false)
    }
}

fn parse_key(mut value: serde_json::Value) -> Result<(Option<String>, Algorithm, DecodingKey), String> {
    // The first two make a verifier fetch a key that the sender can exchange later; the others are private members, and
    // a private key in a registration is a leak to refuse and not to store.
    for forbidden in ["x5u", "jku", "d", "k", "p", "q"] {
        if value.get(forbidden).is_some() {
            return Err(format!("a registered public key must not have {forbidden:?}"));
        }
    }
    // The library does not know the name of RFC 9864 yet.
    if let Some(alg) = value.get_mut("alg").filter(|alg| *alg == "Ed25519") {
        *alg = "EdDSA".into();
    }
    let jwk: Jwk = serde_json::from_value(value).map_err(|error| format!("not a JSON Web Key: {error}"))?;
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return Err("its use is not sig".into());
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        AlgorithmParameters::RSA(rsa) => {
            let modulus = data_encoding::BASE64URL_NOPAD
                .decode(rsa.n.as_bytes())
                .map_err(|_| "its modulus is not base64url".to_owned())?;
            // Leading zero octets would make a short modulus look long enough.
            let bits = modulus.iter().skip_while(|byte| **byte == 0).count() * 8;
            if bits < 2048 {
                return Err(format!("its RSA modulus has {bits} bits; at least 2048 are needed"));
            }
            Algorithm::PS256
        }
        _ => return Err("only ES256 (P-256), PS256 (RSA) and EdDSA (Ed25519) keys are accepted".into()),
    };
    let declared = jwk.common.key_algorithm;
    let agrees = matches!(
        (declared, algorithm),
        (None, _)
            | (Some(KeyAlgorithm::ES256), Algorithm::ES256)
            | (Some(KeyAlgorithm::PS256), Algorithm::PS256)
            | (Some(KeyAlgorithm::EdDSA), Algorithm::EdDSA)
    );
    if !agrees {
        return Err("its alg is not ES256, PS256 or EdDSA, or does not match its type".into());
    }
    // The algorithm comes from the key's type and not from `alg`, which is optional and only has to agree.
    let key = DecodingKey::from_jwk(&jwk).map_err(|error| error.to_string())?;
    Ok((jwk.common.key_id, algorithm, key))
}

/// `aud` as FAPI requires: a string, or an array that contains the audience.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct AssertionClaims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    #[serde(default)]
    iat: Option<i64>,
    #[serde(default)]
    nbf: Option<i64>,
    jti: String,
}

/// A verified assertion. The caller must still check that its identifier is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The identifier, which may be used only once.
    pub jti: String,
    /// The time until which the identifier must be remembered.
    pub expires_at: Timestamp,
}

/// Returns the client that an unverified assertion names.
pub fn unverified_subject(unverified_assertion: &str) -> Option<ClientId> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    // Without the client there are no keys to verify with; the name only selects them, and proves nothing.
    let claims: Subject = jsonwebtoken::dangerous::insecure_decode_claims(unverified_assertion).ok()?;
    claims.sub.parse().ok()
}

/// Verifies the signature, issuer, subject, audience and time of an assertion. The caller then records its `jti` as
/// used.
pub fn verify_assertion(
    unverified_assertion: &str,
    client: &ClientId,
    keys: &ClientKeys,
    audiences: &[&str],
    now: Timestamp,
) -> Result<Assertion, TokenRefusal> {
    let unverified_header = jsonwebtoken::decode_header(unverified_assertion).map_err(|_| TokenRefusal::Malformed)?;
    check_header(&unverified_header)?;
    let algorithm = unverified_header.alg;
    // Never `none`, and never an HMAC, for which a public key would serve as the secret (K5).
    if !matches!(algorithm, Algorithm::ES256 | Algorithm::PS256 | Algorithm::EdDSA) {
        return Err(TokenRefusal::UnknownKey);
    }
    // Of several refusals the last one is reported: a key that was found says more than that none was.
    let mut refusal = TokenRefusal::UnknownKey;
    for key in keys.candidates(unverified_header.kid.as_deref(), algorithm) {
        match jsonwebtoken::decode::<AssertionClaims>(unverified_assertion, key, &signature_only(algorithm)) {
            // One verified signature settles who signed: the claims are not tried with further keys.
            Ok(token) => return check_claims(token.claims, client, audiences, now),
            Err(error) if matches!(error.kind(), jsonwebtoken::errors::ErrorKind::InvalidSignature) => {
                refusal = TokenRefusal::Signature;
            }
            Err(_) => refusal = TokenRefusal::Malformed,
        }
    }
    Err(refusal)
}

fn check_claims(
    claims: AssertionClaims,
    client: &ClientId,
    audiences: &[&str],
    now: Timestamp,
) -> Result<Assertion, TokenRefusal> {
    let client = client.to_string();
    // Both name the client, so that an assertion cannot authenticate one client for another.
    if claims.iss != client || claims.sub != client {
        return Err(TokenRefusal::Issuer);
    }
    let accepted = |audience: &String| audiences.contains(&audience.as_str());
    let for_us = match &claims.aud {
        Audience::One(audience) => accepted(audience),
        Audience::Many(all) => all.iter().any(accepted),
    };
    if !for_us {
        return Err(TokenRefusal::Audience);
    }
    // `iat` is optional in an assertion; zero lies in the past and passes. `exp` is required and bounded below.
    check_times(claims.iat.unwrap_or(0), claims.nbf, claims.exp, now)?;
    // Identifiers are stored until the assertion ends: an unbounded length or end would let a client fill the store.
    if claims.jti.is_empty() || claims.jti.len() > 256 || claims.exp > now.seconds() + MAX_LIFETIME_SECONDS {
        return Err(TokenRefusal::Malformed);
    }
    Ok(Assertion { jti: claims.jti, expires_at: Timestamp::from_seconds(claims.exp) })
}

#[cfg(test)]
mod tests;
