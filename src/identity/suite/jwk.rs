//! Public keys as JSON Web Keys, and their thumbprints.

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::{ED25519_SPKI, P256_SPKI, PublicKey, Suite, SuiteError};

/// A public JSON Web Key (RFC 7517), with the members that the gateway uses. It has no member for a private key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type: `EC` or `OKP`.
    pub kty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// X coordinate, or an Ed25519 key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The key id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Use: `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// Purpose of a key that the gateway publishes. RFC 7517 section 4 lets readers ignore further members; the name is
    /// collision-resistant, as it asks for.
    #[serde(default, rename = "medcredit_purpose", skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

impl Jwk {
    /// The RFC 7638 thumbprint: SHA-256 of the required members in the order of their names, base64url.
    pub fn thumbprint(&self) -> String {
        // A member that is missing is left out, and the order of names in the text below is alphabetical, as the RFC
        // requires.
        let member = |name: &str, value: &Option<String>| {
            value.as_deref().map(|text| format!(",\"{name}\":\"{text}\"")).unwrap_or_default()
        };
        // The members' values are names and base64url, which need no JSON escapes.
        let canonical = format!(
            "{{{},\"kty\":\"{}\"{}{}}}",
            member("crv", &self.crv).trim_start_matches(','),
            self.kty,
            member("x", &self.x),
            member("y", &self.y)
        );
        BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    }

    /// Returns the key if it is a signature key of a known suite and its members agree.
    pub fn public_key(&self) -> Result<PublicKey, SuiteError> {
        let suite = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => Suite::Es256,
            ("OKP", Some("Ed25519")) => Suite::Ed25519,
            _ => return Err(SuiteError::BadJwk("kty and crv")),
        };
        // EdDSA is the older name of the same algorithm on this curve (RFC 9864).
        let matches = |alg: &str| alg == suite.as_str() || (suite == Suite::Ed25519 && alg == "EdDSA");
        if self.alg.as_deref().is_some_and(|alg| !matches(alg)) {
            return Err(SuiteError::BadJwk("alg"));
        }
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(SuiteError::BadJwk("use"));
        }
        let bytes = |value: &Option<String>, name| {
            let text = value.as_deref().ok_or(SuiteError::BadJwk(name))?;
            let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| SuiteError::BadJwk(name))?;
            // RFC 7518 section 6.2.1: a coordinate has its full length, leading zeros included.
            if bytes.len() == 32 { Ok(bytes) } else { Err(SuiteError::BadJwk(name)) }
        };
        let der = match suite {
            Suite::Es256 => [&P256_SPKI, bytes(&self.x, "x")?.as_slice(), bytes(&self.y, "y")?.as_slice()].concat(),
            Suite::Ed25519 => [&ED25519_SPKI, bytes(&self.x, "x")?.as_slice()].concat(),
        };
        PublicKey::from_der(suite, &der)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{KeyPair, Signer},
        *,
    };

    #[test]
    fn a_jwk_converts_to_its_key_if_its_members_agree() {
        for suite in [Suite::Es256, Suite::Ed25519] {
            let key = KeyPair::from_pkcs8(suite, &KeyPair::generate(suite).unwrap()).unwrap();
            let jwk = key.public_key().jwk();
            assert_eq!(jwk.public_key().unwrap(), *key.public_key());
            assert_eq!(jwk.kid.as_deref(), Some(key.key_id()));
            assert_eq!(jwk.thumbprint(), key.key_id());
            let wrong = [
                Jwk { alg: Some("HS256".into()), ..jwk.clone() },
                Jwk { usage: Some("enc".into()), ..jwk.clone() },
                Jwk { crv: Some("P-384".into()), ..jwk.clone() },
                Jwk { x: None, ..jwk.clone() },
                Jwk { x: Some("AQ".into()), ..jwk.clone() },
            ];
            for jwk in wrong {
                assert!(jwk.public_key().is_err(), "{jwk:?}");
            }
        }
    }

    #[test]
    fn the_thumbprint_is_the_one_of_rfc_8037() {
        // RFC 8037 appendix A.3.
        let jwk: Jwk =
            serde_json::from_str(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#)
                .unwrap();
        assert_eq!(jwk.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(jwk.public_key().unwrap().key_id(), jwk.thumbprint());
    }
}
