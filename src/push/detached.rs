//! A signature beside what it signs: a compact JWS without its payload (RFC 7515, appendix F).

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::PackageFault;
use crate::identity::{PublicKey, Signer, SuiteError, Verifier as _};

/// What is signed. The published set has keys for tokens, answers and checkpoints alike: a signature of another matter is none of
/// a package, whichever key made it.
const TYPE: &str = "medcredit-package+jws";

/// The header, whole: what names anything more, such as `crit`, asks for what is not done here.
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
    Ok(format!("{header}..{}", BASE64URL_NOPAD.encode(&signature)))
}

/// What the signature is over: the payload is put back between the dots.
fn message(header: &str, payload: &[u8]) -> String {
    format!("{header}.{}", BASE64URL_NOPAD.encode(payload))
}

/// A signature that has been read, and nothing more.
#[derive(Debug)]
pub struct Detached {
    encoded: String,
    header: Header,
    signature: Vec<u8>,
}

impl Detached {
    /// Reads a signature.
    pub fn parse(text: &[u8]) -> Result<Self, PackageFault> {
        let form = PackageFault::SignatureForm;
        let text = std::str::from_utf8(text).map_err(|_| form("it is no text"))?;
        let parts: Vec<&str> = text.split('.').collect();
        let [encoded, "", signature] = parts.as_slice() else {
            return Err(form("it is not a header, nothing, and a signature, with dots between them"));
        };
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| form("it is not base64url"));
        let header: Header = serde_json::from_slice(&decode(encoded)?)
            .map_err(|_| form("its header is not alg, kid and typ, each once and nothing else"))?;
        if header.typ != TYPE {
            return Err(form("by its typ it is of something else than a package"));
        }
        Ok(Self { encoded: (*encoded).to_owned(), header, signature: decode(signature)? })
    }

    /// The key that it names, where it is at hand and of the suite that the header tells.
    pub fn key<'k>(&self, keys: &'k [PublicKey]) -> Result<&'k PublicKey, PackageFault> {
        let named = keys.iter().find(|key| key.key_id() == self.header.kid);
        let key = named.ok_or_else(|| PackageFault::UnknownKey { kid: self.header.kid.clone(), of: keys.len() })?;
        if self.header.alg != key.suite().as_str() {
            return Err(PackageFault::Algorithm { said: self.header.alg.clone(), suite: key.suite() });
        }
        Ok(key)
    }

    /// Accepts it as the key's over a payload.
    pub fn verify(&self, key: &PublicKey, payload: &[u8]) -> Result<(), PackageFault> {
        let message = message(&self.encoded, payload);
        key.verify(message.as_bytes(), &self.signature).map_err(|_| PackageFault::Signature)
    }
}
