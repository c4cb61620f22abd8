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
/// How long an assertion is good: long enough for the request, short enough to be worthless afterwards.
const LIFETIME_SECONDS: i64 = 60;

/// A bank's signing key.
#[derive(Debug)]
pub(in crate::cli) struct SigningKey {
    pair: KeyPair,
    id: Option<String>,
}

impl SigningKey {
    /// Reads a PKCS#8 key of either suite.
    pub(super) fn read(path: &Path, id: Option<String>) -> anyhow::Result<Self> {
        let pkcs8 = files::read_item(files::PRIVATE_KEY, path).context("the profile's signing_key")?;
        let pair = KeyPair::from_pkcs8(Suite::Es256, &pkcs8).or_else(|_| KeyPair::from_pkcs8(Suite::Ed25519, &pkcs8));
        let pair = pair.ok().with_context(|| {
            format!("{} is neither a P-256 nor an Ed25519 key in PKCS#8 (`openssl pkcs8 -topk8`)", path.display())
        })?;
        Ok(Self { pair, id })
    }

    /// The pair.
    pub(super) const fn pair(&self) -> &KeyPair {
        &self.pair
    }

    /// Its name in the registered key set.
    pub(super) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_else(|| self.pair.key_id())
    }
}

/// An assertion that `client` is calling.
pub(super) fn sign(
    key: &SigningKey,
    client: ClientId,
    audience: &str,
    (jti, now): (&str, Timestamp),
) -> anyhow::Result<String> {
    // The older name: what reads assertions may not know RFC 9864's.
    let alg = if key.pair.suite() == Suite::Ed25519 { "EdDSA" } else { key.pair.suite().as_str() };
    let mut header = json!({ "typ": "JWT", "alg": alg });
    // A key set may name its keys as it likes: without a name, every key of the algorithm is tried.
    if let (Some(id), Some(header)) = (&key.id, header.as_object_mut()) {
        header.insert("kid".into(), json!(id));
    }
    let claims = json!({
        "iss": client, "sub": client, "aud": audience, "jti": jti,
        "iat": now.seconds(), "exp": now.seconds() + LIFETIME_SECONDS,
    });
    let part = |value: &serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let message = format!("{}.{}", part(&header), part(&claims));
    let signature = key.pair.sign(message.as_bytes()).context("the client assertion")?;
    Ok(format!("{message}.{}", BASE64URL_NOPAD.encode(&signature)))
}
