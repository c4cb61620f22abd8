//! Signatures of responses: RFC 9421 over the components that FAPI 2.0's HTTP signatures draft requires, plus the
//! receipt.
//!
//! The covered components, in this order: `@status`, `content-digest`, `x-fapi-interaction-id`, `medcredit-disclosure`,
//! and of the request `@method`, `@target-uri`, its `content-digest` if it had one, and `signature` and
//! `signature-input` if it was signed. So a stored response is evidence of both the request and the response.

pub mod digest;
mod message;
pub mod outgoing;
pub mod request;

use data_encoding::BASE64;

pub use digest::content_digest;
pub use message::{Message, combined_value};

use super::suite::{Signer, Suite};
use crate::domain::Timestamp;

/// The label of the gateway's signature in `Signature` and `Signature-Input`.
pub const LABEL: &str = "medcredit";

/// The tag that FAPI clients expect.
pub const RESPONSE_TAG: &str = "fapi-2-response";

/// The header of the receipt, which the signature covers.
pub const DISCLOSURE_HEADER: &str = "medcredit-disclosure";

/// The request components that a response signature covers, with `;req`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestFacts<'a> {
    pub method: &'a str,
    /// The target URI with the gateway's public origin.
    pub target_uri: &'a str,
    /// The `Content-Digest` as sent, after it was verified.
    pub digest: Option<&'a str>,
    /// The signature fields, if the request was signed and verified.
    pub signature: Option<FieldPair<'a>>,
}

/// `Signature-Input` and `Signature` of a request, as sent. Several field lines are combined as RFC 9421 section 2.1
/// requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldPair<'a> {
    pub input: &'a str,
    pub signature: &'a str,
}

/// The components that a response signature covers.
#[derive(Debug, Clone, Copy)]
pub struct Covered<'a> {
    pub status: u16,
    /// The response's `Content-Digest`.
    pub content_digest: &'a str,
    /// The response's `x-fapi-interaction-id`.
    pub interaction_id: &'a str,
    /// The response's `Medcredit-Disclosure`.
    pub disclosure: &'a str,
    pub request: RequestFacts<'a>,
}

/// The two header values of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureFields {
    pub input: String,
    pub signature: String,
}

/// The signature parameters: the covered components, time, key, algorithm and tag.
fn parameters(covered: &Covered<'_>, key_id: &str, suite: Suite, at: Timestamp) -> String {
    // Only what the request had is covered: a component that is missing would make the signature impossible to verify.
    let digest = if covered.request.digest.is_some() { r#" "content-digest";req"# } else { "" };
    let signature = if covered.request.signature.is_some() { r#" "signature";req "signature-input";req"# } else { "" };
    format!(
        concat!(
            r#"("@status" "content-digest" "x-fapi-interaction-id" "medcredit-disclosure" "@method";req "@target-uri";req{}{})"#,
            r#";created={};keyid="{}";alg="{}";tag="{}""#
        ),
        digest,
        signature,
        at.seconds(),
        key_id,
        suite.http_name(),
        RESPONSE_TAG,
    )
}

/// The signature base (RFC 9421 section 2.5): one line per component, then the parameters without a newline.
fn base(covered: &Covered<'_>, parameters: &str) -> String {
    let mut base = format!(
        concat!(
            "\"@status\": {}\n\"content-digest\": {}\n\"x-fapi-interaction-id\": {}\n\"medcredit-disclosure\": {}\n",
            "\"@method\";req: {}\n\"@target-uri\";req: {}\n"
        ),
        covered.status,
        covered.content_digest,
        covered.interaction_id,
        covered.disclosure,
        covered.request.method,
        covered.request.target_uri,
    );
    let mut line = |name: &str, value: &str| {
        for part in ["\"", name, "\";req: ", value, "\n"] {
            base.push_str(part);
        }
    };
    if let Some(digest) = covered.request.digest {
        line("content-digest", digest);
    }
    if let Some(fields) = covered.request.signature {
        line("signature", fields.signature);
        line("signature-input", fields.input);
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    base
}

/// Signs a response.
pub fn sign(
    covered: &Covered<'_>,
    signer: &dyn Signer,
    at: Timestamp,
) -> Result<SignatureFields, super::suite::SuiteError> {
    // Written once and used for both: the base ends with the parameters exactly as the field has them.
    let parameters = parameters(covered, signer.key_id(), signer.suite(), at);
    let signature = signer.sign(base(covered, &parameters).as_bytes())?;
    Ok(SignatureFields {
        input: format!("{LABEL}={parameters}"),
        signature: format!("{LABEL}=:{}:", BASE64.encode(&signature)),
    })
}

/// Why a response signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// The fields have no signature of the gateway over exactly the required components.
    #[error("the response has no signature labelled {LABEL} over the required components")]
    Uncovered,
    /// The signature does not verify.
    #[error("the signature does not verify: the response or its request was changed after signing")]
    Mismatch,
}

/// Verifies a response signature with a public key, as a bank does. Returns the time of signing.
pub fn verify(
    covered: &Covered<'_>,
    fields: &SignatureFields,
    key_id: &str,
    suite: Suite,
    public_key: &[u8],
) -> Result<Timestamp, SignatureRefusal> {
    let parameters =
        fields.input.strip_prefix(LABEL).and_then(|rest| rest.strip_prefix('=')).ok_or(SignatureRefusal::Uncovered)?;
    let created = parameters
        .split(";created=")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .and_then(|text| text.parse().ok())
        .ok_or(SignatureRefusal::Uncovered)?;
    let at = Timestamp::from_seconds(created);
    // Compared as a whole text: exactly the required components in our order, so that a signature that covers less
    // cannot pass.
    if parameters != self::parameters(covered, key_id, suite, at) {
        return Err(SignatureRefusal::Uncovered);
    }
    let signature = fields
        .signature
        .strip_prefix(LABEL)
        .and_then(|rest| rest.strip_prefix("=:"))
        .and_then(|rest| rest.strip_suffix(':'))
        .and_then(|text| BASE64.decode(text.as_bytes()).ok())
        .ok_or(SignatureRefusal::Uncovered)?;
    super::suite::verify(suite, public_key, base(covered, parameters).as_bytes(), &signature)
        .map_err(|_| SignatureRefusal::Mismatch)?;
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::KeyPair;

    fn covered() -> Covered<'static> {
        Covered {
            status: 200,
            content_digest: "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
            interaction_id: "3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90",
            disclosure: r#"id="dis_1", leaf=:AA==:, log="gateway.test/ledger/1", by=@1780000002"#,
            request: RequestFacts {
                method: "GET",
                target_uri: "https://gateway.test/v1/consents/con_1/grade?purpose=loan_approval",
                digest: None,
                signature: None,
            },
        }
    }

    #[test]
    fn the_signature_base_follows_rfc_9421() {
        let parameters = parameters(&covered(), "k1", Suite::Es256, Timestamp::from_seconds(1_780_000_000));
        let expected = concat!(
            "\"@status\": 200\n",
            "\"content-digest\": sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:\n",
            "\"x-fapi-interaction-id\": 3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90\n",
            "\"medcredit-disclosure\": id=\"dis_1\", leaf=:AA==:, log=\"gateway.test/ledger/1\", by=@1780000002\n",
            "\"@method\";req: GET\n",
            "\"@target-uri\";req: https://gateway.test/v1/consents/con_1/grade?purpose=loan_approval\n",
            "\"@signature-params\": (\"@status\" \"content-digest\" \"x-fapi-interaction-id\" \"medcredit-disclosure\" ",
            "\"@method\";req \"@target-uri\";req);created=1780000000;keyid=\"k1\";alg=\"ecdsa-p256-sha256\";tag=\"fapi-2-response\"",
        );
        assert_eq!(base(&covered(), &parameters), expected);
    }

    #[test]
    fn a_change_of_any_covered_value_is_detected() {
        let pair = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
        let at = Timestamp::from_seconds(1_780_000_000);
        let fields = sign(&covered(), &pair, at).unwrap();
        let check =
            |covered: &Covered<'_>| verify(covered, &fields, pair.key_id(), Suite::Es256, pair.public_key_der());
        assert_eq!(check(&covered()), Ok(at));
        for changed in [
            Covered { status: 201, ..covered() },
            Covered { content_digest: "sha-256=:AAAA:", ..covered() },
            Covered { interaction_id: "00000000-0000-4000-8000-000000000000", ..covered() },
            Covered { disclosure: "id=\"dis_2\"", ..covered() },
            Covered { request: RequestFacts { method: "POST", ..covered().request }, ..covered() },
            Covered {
                request: RequestFacts {
                    target_uri: "https://gateway.test/v1/consents/con_2/grade",
                    ..covered().request
                },
                ..covered()
            },
        ] {
            assert_eq!(check(&changed), Err(SignatureRefusal::Mismatch));
        }
        let request = RequestFacts { digest: Some("sha-256=:AAAA:"), ..covered().request };
        assert_eq!(check(&Covered { request, ..covered() }), Err(SignatureRefusal::Uncovered));
    }

    #[test]
    fn digest_and_signature_of_a_signed_request_are_covered_too() {
        // M2.
        let pair = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
        let at = Timestamp::from_seconds(1_780_000_000);
        let signature = Some(FieldPair { input: r#"sig1=("@method");created=1"#, signature: "sig1=:AAAA:" });
        let digest = Some("sha-256=:BBBB:");
        let signed = Covered { request: RequestFacts { digest, signature, ..covered().request }, ..covered() };
        let fields = sign(&signed, &pair, at).unwrap();
        assert!(
            fields.input.contains(r#""content-digest";req "signature";req "signature-input";req)"#),
            "{}",
            fields.input
        );
        let text = base(&signed, fields.input.strip_prefix("medcredit=").unwrap());
        assert!(text.contains("\"content-digest\";req: sha-256=:BBBB:\n\"signature\";req: sig1=:AAAA:\n"), "{text}");
        assert!(text.contains("\"signature-input\";req: sig1=(\"@method\");created=1\n"), "{text}");
        let check =
            |covered: &Covered<'_>| verify(covered, &fields, pair.key_id(), Suite::Es256, pair.public_key_der());
        assert_eq!(check(&signed), Ok(at));
        assert_eq!(check(&covered()), Err(SignatureRefusal::Uncovered));
        for (input, signature) in
            [("sig1=();created=2", "sig1=:AAAA:"), (r#"sig1=("@method");created=1"#, "sig1=:CCCC:")]
        {
            let request = RequestFacts { signature: Some(FieldPair { input, signature }), ..signed.request };
            assert_eq!(check(&Covered { request, ..signed }), Err(SignatureRefusal::Mismatch));
        }
    }
}
