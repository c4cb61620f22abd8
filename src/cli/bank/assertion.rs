//! The client assertion of `private_key_jwt` (RFC 7523), and the key it is signed with.

use std::path::Path;

use anyhow::Context as _;
use data_encoding::BASE64URL_NOPAD;
use serde_json::json;

use crate::{
    authority::files,
    domain::{Timestamp, ids::ClientId},
    identity::{KeyPair, Signer, Suite},
};

/// The `client_assertion_type`.
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The lifetime of an assertion: long enough for the request, too short to be reused.
const LIFETIME_SECONDS: i64 = 60;

/// A bank's signing key.
#[derive(Debug)]
pub(in crate::cli) struct SigningKey {
    pair: KeyPair,
    id: Option<String>,
}

impl SigningKey {
    /// Reads a PKCS#8 key, P-256 or Ed25519.
    pub(super) fn read(path: &Path, id: Option<String>) -> anyhow::Result<Self> {
        let pkcs8 = files::read_item(files::PRIVATE_KEY, path).context("the profile's signing_key")?;
        let pair = KeyPair::from_pkcs8(Suite::Es256, &pkcs8).or_else(|_| KeyPair::from_pkcs8(Suite::Ed25519, &pkcs8));
        let pair = pair.ok().with_context(|| {
            format!("{} is neither a P-256 nor an Ed25519 key in PKCS#8 (`openssl pkcs8 -topk8`)", path.display())
        })?;
        Ok(Self { pair, id })
    }

    /// The key pair.
    pub(super) const fn pair(&self) -> &KeyPair {
        &self.pair
    }

    /// Its `kid` in the registered key set.
    pub(super) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_else(|| self.pair.key_id())
    }
}

/// What an assertion states.
#[derive(Debug)]
pub(super) struct Assertion<'a> {
    /// The calling client: issuer and subject.
    pub(super) client: ClientId,
    /// The token endpoint.
    pub(super) audience: &'a str,
    /// A value that no other assertion has.
    pub(super) jti: &'a str,
    pub(super) now: Timestamp,
}

impl Assertion<'_> {
    /// The signed JWT.
    pub(super) fn sign(&self, key: &SigningKey) -> anyhow::Result<String> {
        // The older name: servers that verify assertions may not know the one of RFC 9864.
        let alg = if key.pair.suite() == Suite::Ed25519 { "EdDSA" } else { key.pair.suite().as_str() };
        let mut header = json!({ "typ": "JWT", "alg": alg });
        // Without a `kid` the server tries every registered key of the algorithm: a key set may name its keys as it likes.
        if let (Some(id), Some(header)) = (&key.id, header.as_object_mut()) {
            header.insert("kid".into(), json!(id));
        }
        let claims = json!({
            "iss": self.client, "sub": self.client, "aud": self.audience, "jti": self.jti,
            "iat": self.now.seconds(), "exp": self.now.seconds() + LIFETIME_SECONDS,
        });
        let part = |value: &serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = key.pair.sign(message.as_bytes()).context("the client assertion")?;
        Ok(format!("{message}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}
