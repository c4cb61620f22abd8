//! Detached signatures: a compact JWS without its payload (RFC 7515, appendix F).

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::PackageFault;
use crate::{
    authority::Purpose,
    identity::{PublicKey, Signer, SuiteError, Verifier as _, keyset::PublishedKey},
};

/// The type of the signature. The published key set has keys for tokens, answers and checkpoints too: a signature made for
/// another purpose must not pass as that of a package.
const TYPE: &str = "medcredit-package+jws";

/// The complete header. A header with further members, such as `crit`, is refused, because they are not supported.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Signs a payload.
pub(super) fn sign(signer: &dyn Signer, payload: &[u8]) -> Result<String, SuiteError> {
    let header = serde_json::json!({ "alg": signer.suite().as_str(), "kid": signer.key_id(), "typ": TYPE });
    let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    let signature = signer.sign(message(&header, payload).as_bytes())?;
    // RFC 7515 appendix F: the payload is left out, because the manifest is a file of its own.
    Ok(format!("{header}..{}", BASE64URL_NOPAD.encode(&signature)))
}

/// The signed text: the payload is inserted between the dots.
fn message(header: &str, payload: &[u8]) -> String {
    format!("{header}.{}", BASE64URL_NOPAD.encode(payload))
}

/// A parsed signature, not yet verified.
#[derive(Debug)]
pub struct Detached {
    encoded: String,
    header: Header,
    signature: Vec<u8>,
}

impl Detached {
    /// Parses a signature.
    pub fn parse(text: &[u8]) -> Result<Self, PackageFault> {
        let form = PackageFault::SignatureForm;
        let text = std::str::from_utf8(text).map_err(|_| form("it is not UTF-8 text"))?;
        let parts: Vec<&str> = text.split('.').collect();
        // A payload between the dots could differ from the manifest that is shown.
        let [encoded, "", signature] = parts.as_slice() else {
            return Err(form("it is not of the form HEADER..SIGNATURE"));
        };
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| form("it is not base64url"));
        let header: Header = serde_json::from_slice(&decode(encoded)?)
            .map_err(|_| form("its header must have exactly the members alg, kid and typ"))?;
        if header.typ != TYPE {
            return Err(form("its `typ` is not that of a package"));
        }
        Ok(Self { encoded: (*encoded).to_owned(), header, signature: decode(signature)? })
    }

    /// The key that it names. Refused where the key is not among `keys`, is not for answers, or is not of the algorithm
    /// in the header.
    pub fn key<'k>(&self, keys: &'k [PublishedKey]) -> Result<&'k PublicKey, PackageFault> {
        let kid = || self.header.kid.clone();
        let named = keys.iter().find(|published| published.key.key_id() == self.header.kid);
        let named = named.ok_or_else(|| PackageFault::UnknownKey { kid: kid(), of: keys.len() })?;
        // The `typ` is the signer's own word: only the key set says what the gateway uses a key for.
        if named.purpose.is_empty() {
            return Err(PackageFault::NoPurpose { kid: kid() });
        }
        if named.purpose != Purpose::AnswerSigning.as_str() {
            return Err(PackageFault::Purpose { kid: kid(), purpose: named.purpose.clone() });
        }
        let key = &named.key;
        // The key decides the algorithm; the header may only agree.
        if self.header.alg != key.suite().as_str() {
            return Err(PackageFault::Algorithm { claimed: self.header.alg.clone(), suite: key.suite() });
        }
        Ok(key)
    }

    /// Verifies it over a payload.
    pub fn verify(&self, key: &PublicKey, payload: &[u8]) -> Result<(), PackageFault> {
        // Over the header as it was sent: encoded again it could differ by a space.
        let message = message(&self.encoded, payload);
        key.verify(message.as_bytes(), &self.signature).map_err(|_| PackageFault::Signature)
    }
}
