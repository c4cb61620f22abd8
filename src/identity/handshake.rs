//! The trust as a TLS handshake asks it, and the words of the library turned into ours and back.

use std::{sync::Arc, time::Duration};

use rustls::{
    CertRevocationListError, CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{certificate::IdentityError, trust::PartnerTrust};
use crate::domain::Timestamp;

/// An instant as the library wants it.
pub(super) fn unix_time(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.seconds()).unwrap_or(0)))
}

/// The library's refusal of a chain in our words.
pub(super) fn reason_of(error: &rustls::Error) -> IdentityError {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => IdentityError::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => IdentityError::NotYetValid,
            CertificateError::Revoked => IdentityError::Revoked,
            // A signature that does not fit is the mark of a namesake: the issuer's name fits and its key does not.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => IdentityError::UnknownAuthority,
            CertificateError::UnknownRevocationStatus => IdentityError::RevocationUnknown,
            CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
                IdentityError::RevocationStale
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                IdentityError::WrongPurpose
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => IdentityError::Weak,
            CertificateError::BadEncoding => IdentityError::Malformed,
            _ => IdentityError::BadChain,
        },
        // A list that the chain's own key did not sign, or that cannot be read, tells nothing about the certificate.
        rustls::Error::InvalidCertRevocationList(CertRevocationListError::IssuerInvalidForCrl) => {
            IdentityError::BadChain
        }
        rustls::Error::InvalidCertRevocationList(_) => IdentityError::RevocationUnknown,
        _ => IdentityError::BadChain,
    }
}

/// Why a handshake failed, in one word for metrics and logs. What a client sent is never part of it.
pub fn failure_reason(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(rustls::OtherError(inner))) => {
            inner.downcast_ref::<IdentityError>().copied().map_or("bad_chain", IdentityError::reason)
        }
        rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidCertRevocationList(_) => reason_of(error).reason(),
        rustls::Error::NoCertificatesPresented => IdentityError::NoCertificate.reason(),
        rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => "incompatible",
        rustls::Error::InvalidMessage(_) => "not_tls",
        rustls::Error::AlertReceived(_) => "client_gave_up",
        rustls::Error::PeerMisbehaved(_)
        | rustls::Error::InappropriateMessage { .. }
        | rustls::Error::InappropriateHandshakeMessage { .. }
        | rustls::Error::DecryptError
        | rustls::Error::PeerSentOversizedRecord => "misbehaved",
        _ => "other",
    }
}

/// Our refusal in the library's words, which decide the alert the client gets.
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
        other => CertificateError::Other(rustls::OtherError(Arc::new(other))).into(),
    }
}

/// The trust as a handshake asks it.
#[derive(Debug)]
pub(super) struct HandshakeVerifier(pub(super) Arc<PartnerTrust>);

impl ClientCertVerifier for HandshakeVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.hints()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let now = Timestamp::from_seconds(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        self.0.accept(leaf, intermediates, now).map(|()| ClientCertVerified::assertion()).map_err(alert_of)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
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
