//! Requests signed by a bank: RFC 9421 under the rules of FAPI 2.0's HTTP signatures draft (M1, M3).
//!
//! Only signatures with the tag [`REQUEST_TAG`] are considered. One of them must verify with a registered key of the
//! client, and cover the method, the target and the token, and the content digest and idempotency key if present.

use sfv::{BareItem, FieldType as _, InnerList, Item, ListEntry, Parameters};

use super::{
    FieldPair, SignatureFields,
    digest::dictionary,
    message::{Message, combined_value},
    outgoing::{Terms, sign_components},
};
use crate::{
    domain::Timestamp,
    identity::{
        assertion::ClientKeys,
        suite::{Signer, SuiteError},
    },
};

/// The tag of a request's signature.
pub const REQUEST_TAG: &str = "fapi-2-request";

/// The greatest age of a signature. A security invariant (M1): it bounds how long a signature can be replayed, and how
/// long nonces must be remembered.
pub const MAX_AGE_SECONDS: i64 = 60;

/// How far the signer's clock may be ahead, as for assertions (K4).
pub const MAX_AHEAD_SECONDS: i64 = 10;

/// The longest accepted nonce, because nonces are stored.
const MAX_NONCE: usize = 128;

/// The greatest number of signatures in a request, because each one costs a verification.
const MAX_SIGNATURES: usize = 8;

/// The required signature of a request, as a value of `Accept-Signature` (RFC 9421 section 5.1).
pub const ACCEPT_SIGNATURE: &str =
    r#"sig1=("@method" "@target-uri" "authorization" "content-digest");created;keyid;tag="fapi-2-request""#;

/// Why the signature of a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefusal {
    /// No signature has the required tag.
    #[error("there is no signature with tag=\"{REQUEST_TAG}\"")]
    Missing,
    /// The fields are malformed or ambiguous.
    #[error("{0}")]
    Malformed(String),
    /// A required component is not covered.
    #[error("the signature does not cover {0}")]
    Uncovered(&'static str),
    /// The signature is too old or from the future.
    #[error("{0}")]
    Untimely(&'static str),
    /// The key is not registered for the client, or has another algorithm.
    #[error("{0}")]
    Key(&'static str),
    /// The signature does not verify.
    #[error("the signature does not verify: the request was changed after signing, or another key signed it")]
    Mismatch,
}

impl RequestRefusal {
    /// The stable code of the problem document.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "request_signature_required",
            Self::Malformed(_) => "request_signature_malformed",
            Self::Uncovered(_) => "request_signature_incomplete",
            Self::Untimely(_) => "request_signature_untimely",
            Self::Key(_) | Self::Mismatch => "request_signature_invalid",
        }
    }
}

/// A verified signature of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// The combined value of `Signature-Input`.
    pub input: String,
    /// The combined value of `Signature`.
    pub signature: String,
    /// The id of the client's key.
    pub key_id: String,
    /// The nonce, if the signer sent one.
    pub nonce: Option<String>,
    /// The time until which the signature could be replayed.
    pub until: Timestamp,
}

impl SignedRequest {
    /// The two fields, as the response signature covers them.
    pub fn fields(&self) -> FieldPair<'_> {
        FieldPair { input: &self.input, signature: &self.signature }
    }
}

/// The result of a verification, with the expected signature base: for the developer of a client.
#[derive(Debug)]
pub struct Inspection {
    /// The signature base of the last signature that was checked.
    pub base: Option<String>,
    pub outcome: Result<SignedRequest, RequestRefusal>,
}

/// Whether a request has a signature field.
pub fn is_signed(message: &Message<'_>) -> bool {
    message.headers.contains_key("signature-input") || message.headers.contains_key("signature")
}

/// Verifies the signatures of a request with the client's keys; one valid signature is enough.
pub fn verify_request(message: &Message<'_>, keys: &ClientKeys, now: Timestamp) -> Inspection {
    let mut base = None;
    let outcome = verify_any(message, keys, now, &mut base);
    Inspection { base, outcome }
}

fn verify_any(
    message: &Message<'_>,
    keys: &ClientKeys,
    now: Timestamp,
    base_out: &mut Option<String>,
) -> Result<SignedRequest, RequestRefusal> {
    if !is_signed(message) {
        return Err(RequestRefusal::Missing);
    }
    let read = |name: &'static str| {
        let field = combined_value(message.headers, &http::HeaderName::from_static(name));
        let field =
            field.ok_or_else(|| RequestRefusal::Malformed(format!("{name} is missing or not printable ASCII")))?;
        // Counted before any signature is verified, or a request could cost as many verifications as its header holds.
        let members = dictionary(&field).filter(|members| members.len() <= MAX_SIGNATURES);
        let members = members.ok_or_else(|| {
            RequestRefusal::Malformed(format!(
                "{name} is not a dictionary of at most {MAX_SIGNATURES} members, each label once"
            ))
        })?;
        Ok((field, members))
    };
    let (input, inputs) = read("signature-input")?;
    let (signature, signatures) = read("signature")?;
    let mut refusal = RequestRefusal::Missing;
    for (label, entry) in &inputs {
        let ListEntry::InnerList(covered) = entry else { continue };
        // Signatures for other purposes are no concern of this profile: they neither help nor hurt (M3).
        if text(&covered.params, "tag") != Some(REQUEST_TAG) {
            continue;
        }
        let Some(ListEntry::Item(Item { bare_item: BareItem::ByteSequence(bytes), .. })) = signatures.get(label) else {
            refusal = RequestRefusal::Malformed(format!("Signature has no byte sequence labelled {label:?}"));
            continue;
        };
        match verify_one(message, covered, bytes, keys, now, base_out) {
            Ok((key_id, nonce, until)) => return Ok(SignedRequest { input, signature, key_id, nonce, until }),
            // One bad signature does not refuse the request, because another with the tag may be valid (M3).
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn verify_one(
    message: &Message<'_>,
    covered: &InnerList,
    signature: &[u8],
    keys: &ClientKeys,
    now: Timestamp,
    base_out: &mut Option<String>,
) -> Result<(String, Option<String>, Timestamp), RequestRefusal> {
    // The base is built first, so that a developer sees it also for a signature that is refused afterwards.
    let base = base(message, covered)?;
    let base = base_out.insert(base);
    let has =
        |name: &str| covered.items.iter().any(|item| item.params.is_empty() && component_name(item) == Some(name));
    for name in ["@method", "@target-uri", "authorization"] {
        if !has(name) {
            return Err(RequestRefusal::Uncovered(name));
        }
    }
    // Without it the body could be exchanged under a valid signature.
    if message.has_content && !has("content-digest") {
        return Err(RequestRefusal::Uncovered("content-digest"));
    }
    // It decides the effect of the request, so the signature must cover it.
    if message.headers.contains_key("idempotency-key") && !has("idempotency-key") {
        return Err(RequestRefusal::Uncovered("idempotency-key"));
    }
    // Time and nonce are checked before the signature, because a verification costs more than both.
    let until = check_times(&covered.params, now)?;
    let nonce = match covered.params.get("nonce") {
        None => None,
        Some(BareItem::String(nonce)) if nonce.as_str().len() <= MAX_NONCE => Some(nonce.as_str().to_owned()),
        Some(_) => {
            return Err(RequestRefusal::Malformed(format!("nonce is not a string of at most {MAX_NONCE} characters")));
        }
    };
    let key_id = text(&covered.params, "keyid").ok_or(RequestRefusal::Uncovered("keyid"))?;
    let key = keys.find(key_id).ok_or(RequestRefusal::Key("keyid is not a registered key of the client"))?;
    // The key decides the algorithm; `alg` in the message may only confirm it (RFC 9421 section 3.2).
    let alg = text(&covered.params, "alg");
    // A wrongly typed `alg` is refused too: read as absent, it would let a caller bypass the comparison.
    if covered.params.contains_key("alg") && (alg.is_none() || alg != key.http_algorithm()) {
        return Err(RequestRefusal::Key("alg is not the algorithm of the key that keyid names"));
    }
    if key.verify(base.as_bytes(), signature) {
        Ok((key_id.to_owned(), nonce, until))
    } else {
        Err(RequestRefusal::Mismatch)
    }
}

fn check_times(params: &Parameters, now: Timestamp) -> Result<Timestamp, RequestRefusal> {
    let seconds = |name: &str| match params.get(name) {
        None => Ok(None),
        Some(BareItem::Integer(seconds)) => Ok(Some(i64::from(*seconds))),
        Some(_) => Err(RequestRefusal::Malformed(format!("{name} is not an integer"))),
    };
    let created = seconds("created")?.ok_or(RequestRefusal::Uncovered("created"))?;
    // Numbers of structured fields have at most 15 digits, so that the sums below cannot overflow.
    let now = now.seconds();
    if created > now + MAX_AHEAD_SECONDS {
        return Err(RequestRefusal::Untimely("the signature was created in the future: compare your clock with Date"));
    }
    if created < now - MAX_AGE_SECONDS {
        return Err(RequestRefusal::Untimely("the signature is older than 60 seconds: sign each request again"));
    }
    let mut until = created + MAX_AGE_SECONDS;
    if let Some(expires) = seconds("expires")? {
        if expires < now {
            return Err(RequestRefusal::Untimely("the signature has expired"));
        }
        // What ends first: past it the signature is refused by its time, and cannot be replayed.
        until = until.min(expires);
    }
    Ok(Timestamp::from_seconds(until))
}

fn text<'a>(params: &'a Parameters, name: &str) -> Option<&'a str> {
    match params.get(name) {
        Some(BareItem::String(text)) => Some(text.as_str()),
        _ => None,
    }
}

fn component_name(item: &Item) -> Option<&str> {
    match &item.bare_item {
        BareItem::String(name) => Some(name.as_str()),
        _ => None,
    }
}

/// The signature base (RFC 9421 section 2.5).
fn base(message: &Message<'_>, covered: &InnerList) -> Result<String, RequestRefusal> {
    let malformed = |what: String| RequestRefusal::Malformed(what);
    let mut base = String::with_capacity(512);
    for (at, item) in covered.items.iter().enumerate() {
        let name = component_name(item).ok_or_else(|| malformed("a component is named by a string".into()))?;
        // Parameters such as `;sf` or `;key` change the value to be signed: to ignore one is to verify another text.
        if !item.params.is_empty() {
            return Err(malformed(format!("components with parameters are not supported: {name:?}")));
        }
        // RFC 9421 section 2.5: each component occurs once.
        if covered.items.iter().take(at).any(|earlier| earlier == item) {
            return Err(malformed(format!("{name:?} is covered twice")));
        }
        let value =
            message.component(name).ok_or_else(|| malformed(format!("the request has no component {name:?}")))?;
        for part in ["\"", name, "\": ", &value, "\n"] {
            base.push_str(part);
        }
    }
    // Serialized again from the parsed list: RFC 9421 section 2.3 wants the strict form, whatever the sender's spacing.
    let parameters = vec![ListEntry::InnerList(covered.clone())].serialize();
    base.push_str("\"@signature-params\": ");
    base.push_str(&parameters.ok_or_else(|| malformed("nothing is covered".into()))?);
    Ok(base)
}

/// The parts of a request that a bank signs.
///
/// The client side of [`verify_request`], for the `bank` commands and for tests: send exactly these values together
/// with
/// `Signature-Input` and `Signature` from [`sign_request`]. docs/SIGNATURES.md has an example.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// The method in upper case.
    pub method: &'a str,
    /// The URL with the gateway's public origin, and the query as sent.
    pub target_uri: &'a str,
    /// The `Authorization` header: `Bearer ...`.
    pub authorization: &'a str,
    /// The `Content-Digest` header, if there is a body; see [`super::content_digest`].
    pub content_digest: Option<&'a str>,
    /// The `Idempotency-Key` header as sent, with its quotes, if there is one.
    pub idempotency_key: Option<&'a str>,
    /// The `kid` of the key in the registered key set.
    pub key_id: &'a str,
    /// A value that was never used before, so that a replay of the request is refused.
    pub nonce: Option<&'a str>,
}

/// Signs a request as the gateway requires.
pub fn sign_request(request: &Signing<'_>, signer: &dyn Signer, at: Timestamp) -> Result<SignatureFields, SuiteError> {
    let fields = [("content-digest", request.content_digest), ("idempotency-key", request.idempotency_key)];
    let always = [
        ("@method", Some(request.method)),
        ("@target-uri", Some(request.target_uri)),
        ("authorization", Some(request.authorization)),
    ];
    let covered: Vec<_> = always.into_iter().chain(fields).filter_map(|(name, value)| Some((name, value?))).collect();
    let terms = Terms { label: "sig1", tag: REQUEST_TAG, nonce: request.nonce, key_id: request.key_id };
    sign_components(&covered, &terms, signer, at)
}

#[cfg(test)]
mod tests;
