//! Access tokens: certificate-bound JWTs (RFC 9068, RFC 8705), signed by a [`Signer`] and parsed to typed claims.
//!
//! The jsonwebtoken crate only checks the signature. Its time checks are off because they use the system's clock; the
//! claims are checked here against the injected clock.

use std::collections::HashMap;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, jwk::Jwk};
use serde::{Deserialize, Serialize};

use crate::domain::{Timestamp, ids::ClientId, ids::ConsentId, ids::TokenId};
use crate::identity::suite::{PublicKey, Signer, Suite};

/// The media type of an access token (RFC 9068 section 2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The only supported type of `authorization_details` (RFC 9396).
pub const CONSENT_DETAIL_TYPE: &str = "medcredit_consent";

/// How far the issuer's clock may be ahead. A security invariant (K4): 10 s must be accepted and more than 60 s
/// refused; a larger value extends the life of a stolen assertion.
pub const SKEW_SECONDS: i64 = 10;

/// The certificate a token is bound to (RFC 8705 section 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// base64url of the SHA-256 of the certificate's DER.
    #[serde(rename = "x5t#S256")]
    pub x5t_s256: String,
}

/// A consent that a token is limited to, with its version at issue: an amendment ends the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentDetail {
    /// Always [`CONSENT_DETAIL_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    pub identifier: ConsentId,
    /// The consent's version when the token was issued.
    pub version: i64,
}

/// The claims of an access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// The audience.
    pub aud: String,
    /// The client, because there is no end user.
    pub sub: String,
    pub client_id: ClientId,
    /// Time of issue, in seconds.
    pub iat: i64,
    /// Start of validity, in seconds, if set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// End of validity, in seconds.
    pub exp: i64,
    /// The identifier of the token.
    pub jti: TokenId,
    /// Scopes, separated by spaces.
    pub scope: String,
    /// The certificate that the token is bound to.
    pub cnf: Confirmation,
    /// The consents that the token is limited to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<Vec<ConsentDetail>>,
}

/// Why a token is refused. The response says `invalid_token`; the reason goes to the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// The text is not a JWT, or a claim has the wrong type.
    #[error("the token is not a well-formed access token")]
    Malformed,
    /// The header's `typ` is not `at+jwt`.
    #[error("the token's type is not at+jwt")]
    WrongType,
    /// The header has `crit` (no extension is supported) or refers to an external key.
    #[error("the token's header has unsupported parameters")]
    Header,
    /// No published key has this `kid`, or the key has another algorithm.
    #[error("no published key verifies the token")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the token's signature does not verify")]
    Signature,
    /// The token has another issuer.
    #[error("the token has another issuer")]
    Issuer,
    /// The token is for another audience.
    #[error("the token is for another audience")]
    Audience,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token is issued or starts too far in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// A failure to sign a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenSignError {
    /// The claims cannot be serialized.
    #[error("the claims cannot be serialized")]
    Claims(#[source] serde_json::Error),
    /// The key failed.
    #[error("the token-signing key failed: {0}")]
    Key(String),
}

/// Signs the claims as a compact JWS.
pub fn sign_jwt<C: Serialize>(typ: &str, claims: &C, signer: &dyn Signer) -> Result<String, TokenSignError> {
    #[derive(Serialize)]
    struct JoseHeader<'a> {
        typ: &'a str,
        alg: &'a str,
        kid: &'a str,
    }
    let header = JoseHeader { typ, alg: signer.suite().as_str(), kid: signer.key_id() };
    let header = serde_json::to_vec(&header).map_err(TokenSignError::Claims)?;
    let claims = serde_json::to_vec(claims).map_err(TokenSignError::Claims)?;
    // Composed by hand: the library signs with keys in memory, and a signer may be a hardware module.
    let mut token = format!("{}.{}", BASE64URL_NOPAD.encode(&header), BASE64URL_NOPAD.encode(&claims));
    let signature = signer.sign(token.as_bytes()).map_err(|error| TokenSignError::Key(error.to_string()))?;
    token.push('.');
    token.push_str(&BASE64URL_NOPAD.encode(&signature));
    Ok(token)
}

/// The parsed public keys that verify the gateway's own tokens.
#[derive(Clone, Default)]
pub struct VerificationKeys(HashMap<String, (Algorithm, DecodingKey)>);

impl std::fmt::Debug for VerificationKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl VerificationKeys {
    /// Prepares the published token-signing keys. Tokens are only signed with ES256 (K5), so keys of other suites are
    /// left out.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Self {
        let keys = keys.into_iter().filter(|key| key.suite() == Suite::Es256).filter_map(|key| {
            // Through JSON, because the library has its own type of the same form. A key that it refuses verifies
            // nothing.
            let jwk: Jwk = serde_json::to_value(key.jwk()).ok().and_then(|value| serde_json::from_value(value).ok())?;
            Some((key.key_id().to_owned(), (Algorithm::ES256, DecodingKey::from_jwk(&jwk).ok()?)))
        });
        Self(keys.collect())
    }

    /// Whether a key with this id is among them.
    pub fn contains(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }
}

/// The issuer and audience that a token must have.
#[derive(Debug, Clone)]
pub struct Expected {
    pub issuer: String,
    pub audience: String,
}

/// A validation of the signature only, with a fixed algorithm.
pub(in crate::identity) fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    // The library would use the system's clock and a leeway of its own; times are checked by `check_times` with the
    // injected clock (K4).
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

/// Verifies the signature, type, issuer, audience and time of a token. Returns the claims and the id of the key.
pub fn verify_access_token(
    unverified_token: &str,
    keys: &VerificationKeys,
    expected: &Expected,
    now: Timestamp,
) -> Result<(AccessClaims, String), TokenRefusal> {
    let unverified_header = jsonwebtoken::decode_header(unverified_token).map_err(|_| TokenRefusal::Malformed)?;
    check_header(&unverified_header)?;
    // RFC 9068 section 4: at+jwt, or the same with its media-type prefix.
    let typ = unverified_header.typ.as_deref().unwrap_or_default().to_ascii_lowercase();
    if typ != ACCESS_TOKEN_TYPE && typ != "application/at+jwt" {
        return Err(TokenRefusal::WrongType);
    }
    // Our own tokens always name their key, so there is nothing to try in turn.
    let kid = unverified_header.kid.ok_or(TokenRefusal::UnknownKey)?;
    let (algorithm, key) = keys.0.get(&kid).ok_or(TokenRefusal::UnknownKey)?;
    // The key decides; a header that claims another algorithm is refused, not followed (K5).
    if *algorithm != unverified_header.alg {
        return Err(TokenRefusal::UnknownKey);
    }
    let claims = jsonwebtoken::decode::<AccessClaims>(unverified_token, key, &signature_only(*algorithm))
        .map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => TokenRefusal::Signature,
            _ => TokenRefusal::Malformed,
        })?
        .claims;
    if claims.iss != expected.issuer {
        return Err(TokenRefusal::Issuer);
    }
    if claims.aud != expected.audience {
        return Err(TokenRefusal::Audience);
    }
    check_times(claims.iat, claims.nbf, claims.exp, now)?;
    Ok((claims, kid))
}

/// Returns the client that an unverified token names. Only for a token that expired after its signature was verified.
pub fn claimed_client(token: &str) -> Option<ClientId> {
    #[derive(Deserialize)]
    struct Claimed {
        client_id: ClientId,
    }
    jsonwebtoken::dangerous::insecure_decode_claims::<Claimed>(token).ok().map(|claimed| claimed.client_id)
}

/// Refuses a header that requires extensions (`crit`) or brings its own key, which an attacker could choose.
pub(in crate::identity) const fn check_header(unverified_header: &Header) -> Result<(), TokenRefusal> {
    if unverified_header.crit.is_some()
        || unverified_header.jku.is_some()
        || unverified_header.x5u.is_some()
        || unverified_header.jwk.is_some()
    {
        return Err(TokenRefusal::Header);
    }
    Ok(())
}

/// Checks issue, start and end against the clock: with the skew of K4 for issue and start, and none for the end.
pub(in crate::identity) fn check_times(
    iat: i64,
    nbf: Option<i64>,
    exp: i64,
    now: Timestamp,
) -> Result<(), TokenRefusal> {
    let now = now.seconds();
    // No skew for the end: it would lengthen the life of a stolen token or assertion.
    if exp <= now {
        return Err(TokenRefusal::Expired);
    }
    let latest = now.saturating_add(SKEW_SECONDS);
    if iat > latest || nbf.is_some_and(|nbf| nbf > latest) {
        return Err(TokenRefusal::NotYetValid);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
