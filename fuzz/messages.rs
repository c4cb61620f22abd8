//! What a request is proved by: certificates, lists, tokens, assertions, digests and signatures.

use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue};
use medcredit::{
    domain::Timestamp,
    identity::{
        CertificateFacts, RevocationList,
        assertion::{ClientKeys, unverified_subject},
        signature::{Message, digest, request::verify_request},
        token::claimed_client,
    },
};
use rcgen::{
    CertificateParams, CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};

use crate::{edits_of, with_text};

const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"k1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fn parameters() -> CertificateParams {
    let mut parameters = CertificateParams::new(vec!["bank.example".to_owned()]).unwrap();
    parameters.key_usages = vec![KeyUsagePurpose::CrlSign, KeyUsagePurpose::KeyCertSign];
    parameters
}

#[test]
fn certificates() {
    let certificate = parameters().self_signed(&KeyPair::generate().unwrap()).unwrap();
    edits_of!(certificate.der().to_vec(), |bytes| {
        let _ = CertificateFacts::read(bytes);
    });
}

#[test]
fn revocation_lists() {
    let now = Timestamp::from_seconds(1_780_000_000);
    let list = CertificateRevocationListParams {
        this_update: now.to_utc(),
        next_update: Timestamp::from_seconds(1_780_086_400).to_utc(),
        crl_number: SerialNumber::from(7),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(8),
            revocation_time: now.to_utc(),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&Issuer::new(parameters(), KeyPair::generate().unwrap())).unwrap();
    edits_of!(list.der().to_vec(), |bytes| {
        if let Ok(list) = RevocationList::read(bytes) {
            let now = Timestamp::from_seconds(1_780_000_000);
            let _ = (list.is_stale(now), list.same_issuer(&list));
        }
    });
}

#[test]
fn tokens_and_assertions() {
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let header = part(r#"{"alg":"ES256","typ":"at+jwt","kid":"k1"}"#);
    let claims = part(r#"{"sub":"cli_06fzgv9a41wdkxs8q2e7mtb3rc","client_id":"cli_06fzgv9a41wdkxs8q2e7mtb3rc"}"#);
    edits_of!(format!("{header}.{claims}.{}", part("signature")).into_bytes(), |bytes| with_text(bytes, |text| {
        let _ = (unverified_subject(text), claimed_client(text));
    }));
}

#[test]
fn content_digests() {
    edits_of!(digest::content_digest(b"{}").into_bytes(), |bytes| with_text(bytes, |text| {
        let _ = digest::verify_digest(text, b"{}");
        let _ = digest::DigestAlgorithm::preferred(text);
    }));
}

#[test]
fn request_signatures() {
    let input = "a=(\"@method\" \"@target-uri\" \"authorization\" \"content-digest\");created=1780000000;keyid=\"k1\";tag=\"fapi-2-request\"\na=:c2ln:";
    edits_of!(input.as_bytes().to_vec(), |bytes| {
        let mut lines = bytes.splitn(2, |byte| *byte == b'\n').map(HeaderValue::from_bytes);
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer t"));
        for name in ["signature-input", "signature"] {
            if let Some(Ok(value)) = lines.next() {
                headers.insert(name, value);
            }
        }
        let target_uri = "https://gateway.example/v1/consents";
        let message = Message { method: "POST", target_uri, headers: &headers, has_content: true };
        let keys = ClientKeys::parse(KEYS).unwrap();
        // Nobody has signed it.
        assert!(verify_request(&message, &keys, Timestamp::from_seconds(1_780_000_001)).outcome.is_err());
    });
}
