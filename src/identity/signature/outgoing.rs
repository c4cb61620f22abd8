//! Requests that the gateway signs: RFC 9421 over the method, the target, and the digest and idempotency key if present.
//!
//! They have a tag of their own, so that no signature that the gateway makes for another purpose passes as one of these, and
//! none of these as an answer.

use data_encoding::BASE64;

use super::{LABEL, SignatureFields};
use crate::{
    domain::Timestamp,
    identity::suite::{Signer, SuiteError},
};

/// The tag of the signature of a request by the gateway.
pub const OUTGOING_TAG: &str = "medcredit-push";

/// The parts of a request that the gateway signs. Send exactly these values with `Signature-Input` and `Signature`.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The method in upper case.
    pub method: &'a str,
    /// The URL as sent.
    pub target_uri: &'a str,
    /// The `Content-Digest` header, if there is a body; see [`super::content_digest`].
    pub content_digest: Option<&'a str>,
    /// The `Idempotency-Key` header as sent, with its quotes, if there is one.
    pub idempotency_key: Option<&'a str>,
}

/// Signs a request to another party. The label is that of the gateway's answers.
pub fn sign_outgoing(
    request: &Outgoing<'_>,
    signer: &dyn Signer,
    at: Timestamp,
) -> Result<SignatureFields, SuiteError> {
    let always = [("@method", Some(request.method)), ("@target-uri", Some(request.target_uri))];
    let fields = [("content-digest", request.content_digest), ("idempotency-key", request.idempotency_key)];
    let covered: Vec<_> = always.into_iter().chain(fields).filter_map(|(name, value)| Some((name, value?))).collect();
    let terms = Terms { label: LABEL, tag: OUTGOING_TAG, nonce: None, key_id: signer.key_id() };
    sign_components(&covered, &terms, signer, at)
}

/// The parameters of a request's signature.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    pub(super) label: &'a str,
    pub(super) tag: &'a str,
    pub(super) nonce: Option<&'a str>,
    pub(super) key_id: &'a str,
}

/// Signs the components of a request, in this order.
pub(super) fn sign_components(
    covered: &[(&str, &str)],
    terms: &Terms<'_>,
    signer: &dyn Signer,
    at: Timestamp,
) -> Result<SignatureFields, SuiteError> {
    let mut base = String::with_capacity(512);
    let mut names = Vec::with_capacity(covered.len());
    for (name, value) in covered {
        names.push(format!("\"{name}\""));
        for part in ["\"", name, "\": ", value, "\n"] {
            base.push_str(part);
        }
    }
    let Terms { label, tag, nonce, key_id } = terms;
    let nonce = nonce.map(|nonce| format!(";nonce=\"{nonce}\"")).unwrap_or_default();
    let parameters = format!(
        "({});created={};keyid=\"{key_id}\";alg=\"{}\";tag=\"{tag}\"{nonce}",
        names.join(" "),
        at.seconds(),
        signer.suite().http_name(),
    );
    base.push_str("\"@signature-params\": ");
    base.push_str(&parameters);
    let signature = signer.sign(base.as_bytes())?;
    Ok(SignatureFields {
        input: format!("{label}={parameters}"),
        signature: format!("{label}=:{}:", BASE64.encode(&signature)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{KeyPair, Suite};

    #[test]
    fn only_what_the_request_has_is_covered() {
        let pair = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
        let at = Timestamp::from_seconds(1_780_000_000);
        let get = Outgoing {
            method: "GET",
            target_uri: "https://platform.test/packages/7/receipts",
            content_digest: None,
            idempotency_key: None,
        };
        let post = Outgoing {
            method: "POST",
            content_digest: Some("sha-256=:AAAA:"),
            idempotency_key: Some("\"obx_1\""),
            ..get
        };
        let end =
            format!(";created=1780000000;keyid=\"{}\";alg=\"ecdsa-p256-sha256\";tag=\"medcredit-push\"", pair.key_id());
        for (request, covered, lines) in [
            (get, r#"("@method" "@target-uri")"#, ""),
            (
                post,
                r#"("@method" "@target-uri" "content-digest" "idempotency-key")"#,
                "\"content-digest\": sha-256=:AAAA:\n\"idempotency-key\": \"obx_1\"\n",
            ),
        ] {
            let fields = sign_outgoing(&request, &pair, at).unwrap();
            assert_eq!(fields.input, format!("medcredit={covered}{end}"));
            let base = format!(
                "\"@method\": {}\n\"@target-uri\": {}\n{lines}\"@signature-params\": {covered}{end}",
                request.method, request.target_uri
            );
            let signature = fields.signature.strip_prefix("medcredit=:").unwrap().strip_suffix(':').unwrap();
            let signature = BASE64.decode(signature.as_bytes()).unwrap();
            crate::identity::suite::verify(Suite::Es256, pair.public_key_der(), base.as_bytes(), &signature).unwrap();
        }
    }
}
