//! The text that a subject signed: what is stored of it, and that it is used once.

use crate::{
    domain::{Actor, Failure, FailureKind, printable::check_text},
    store::consents,
};

/// The greatest length of the name of a text's version, in characters.
const LONGEST_TEXT_VERSION: usize = 64;

/// A signed text, as a grant and an amendment store it: the text itself stays with the bureau.
#[derive(Debug, Clone)]
pub struct SignedText {
    /// Its SHA-256, hex.
    pub sha256: String,
    /// Which version of the text was signed.
    pub version: String,
    /// Who signed: `legal_representative` or `authorised_agent`.
    pub signer: String,
}

pub(super) fn unprocessable(code: &'static str, public: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Unprocessable, code, public)
}

impl SignedText {
    pub(super) fn check(&self) -> Result<(), Failure> {
        let digest = self.sha256.as_bytes();
        // One spelling only: evidence is compared as text.
        if digest.len() != 64 || !digest.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Failure::invalid(
                "text_sha256",
                "invalid_request",
                "The signed text's SHA-256 is 64 lower-case hex digits.",
            ));
        }
        if !matches!(self.signer.as_str(), "legal_representative" | "authorised_agent") {
            return Err(Failure::invalid(
                "signer",
                "invalid_request",
                "The signer is legal_representative or authorised_agent.",
            ));
        }
        check_text(&self.version, LONGEST_TEXT_VERSION)
            .map_err(|error| Failure::invalid("text_version", "invalid_request", error.0))
    }

    /// Writes the text into a consent that it puts in force or changes.
    pub(super) fn write_to(&self, row: &mut consents::ConsentRow, by: &Actor) {
        row.text_sha256 = Some(self.sha256.clone());
        row.text_version = Some(self.version.clone());
        row.signer = Some(self.signer.clone());
        row.channel = Some(by.channel().to_string());
    }
}

/// The refusal of a text that an earlier event of the same consent rests on: it was not signed for this one.
pub(super) fn used_before() -> Failure {
    unprocessable(
        "consent_evidence_used",
        "This text was used for the consent before. Have a new text signed for the amendment and pass it.",
    )
}
