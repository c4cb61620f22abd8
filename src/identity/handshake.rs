//! The verifier that a TLS handshake uses for client certificates.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{error::IdentityError, trust::PartnerTrust};
use crate::domain::Timestamp;

/// Converts a refusal to the library's error, which decides the alert that the client receives.
fn alert_of(error: IdentityError) -> rustls::Error {
    match error {
        IdentityError::NoCertificate | IdentityError::Unfinished => rustls::Error::NoCertificatesPresented,
        IdentityError::Malformed => CertificateError::BadEncoding.into(),
        IdentityError::UnknownAuthority => CertificateError::UnknownIssuer.into(),
        IdentityError::Expired => CertificateError::Expired.into(),
        IdentityError::NotYetValid => CertificateError::NotValidYet.into(),
        IdentityError::WrongPurpose => CertificateError::InvalidPurpose.into(),
        IdentityError::Revoked => CertificateError::Revoked.into(),
        IdentityError::RevocationUnknown => CertificateError::UnknownRevocationStatus.into(),
        IdentityError::RevocationStale => CertificateError::ExpiredRevocationList.into(),
        // The others have no error of their own in the library; the reason travels inside for the metric.
        other => CertificateError::Other(rustls::OtherError(Arc::new(other))).into(),
    }
}

/// Verifies client certificates during a handshake, under one trust.
#[derive(Debug)]
pub(super) struct HandshakeVerifier(pub(super) Arc<PartnerTrust>);

impl ClientCertVerifier for HandshakeVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // None: which authorities the bureau trusts is no concern of other callers, and a bank knows its certificate.
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        // A time beyond 64 bits saturates to the future, in which every certificate has expired: it fails closed.
        let now = Timestamp::from_seconds(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        self.0.accept(leaf, intermediates, now).map(|()| ClientCertVerified::assertion()).map_err(alert_of)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // Never called, because only TLS 1.3 is configured; if it were, nothing may pass (T1).
        Err(rustls::Error::General("TLS 1.2 is not offered".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.provider().signature_verification_algorithms.supported_schemes()
    }
}
