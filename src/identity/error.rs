//! Why a certificate proves no identity, and the TLS library's errors as those reasons.

use rustls::{CertRevocationListError, CertificateError};

/// Why a certificate proves no identity. The reason is a metric's label; the texts name no party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The handshake is not finished.
    #[error("the handshake is not finished")]
    Unfinished,
    /// No certificate was presented.
    #[error("no client certificate was presented")]
    NoCertificate,
    /// A certificate cannot be read.
    #[error("a certificate cannot be read")]
    Malformed,
    /// The certificate names no subject.
    #[error("the certificate names no subject")]
    NoSubject,
    /// No trusted authority issued it.
    #[error("no trusted authority issued the certificate")]
    UnknownAuthority,
    /// A certificate or its authority has expired.
    #[error("a certificate of the chain has expired")]
    Expired,
    /// A certificate is not valid yet.
    #[error("a certificate of the chain is not valid yet")]
    NotYetValid,
    /// The certificate is not for client authentication.
    #[error("the certificate is not for client authentication")]
    WrongPurpose,
    /// Its authority, or an intermediate's, has revoked it.
    #[error("a certificate of the chain is revoked")]
    Revoked,
    /// An operator of this gateway refuses it.
    #[error("a certificate of the chain is refused here")]
    RefusedHere,
    /// No revocation list covers it: an unknown status is refused (T3).
    #[error("no revocation list covers the certificate")]
    RevocationUnknown,
    /// The revocation list is past its next update: a stale list is refused (T3).
    #[error("the authority's revocation list is stale")]
    RevocationStale,
    /// The key or the signature algorithm is too weak (T9).
    #[error("a key or a signature of the chain is too weak")]
    Weak,
    /// The chain is invalid for another reason.
    #[error("the certificate chain is invalid")]
    BadChain,
}

impl IdentityError {
    /// The reason in one word, for metrics and logs.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::NoCertificate => "no_certificate",
            Self::Malformed => "malformed",
            Self::NoSubject => "no_subject",
            Self::UnknownAuthority => "unknown_authority",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongPurpose => "wrong_purpose",
            Self::Revoked => "revoked",
            Self::RefusedHere => "refused_here",
            Self::RevocationUnknown => "revocation_unknown",
            Self::RevocationStale => "revocation_stale",
            Self::Weak => "weak",
            Self::BadChain => "bad_chain",
        }
    }
}

/// Converts the library's error about a chain.
pub(super) fn identity_error(error: &rustls::Error) -> IdentityError {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => IdentityError::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => IdentityError::NotYetValid,
            CertificateError::Revoked => IdentityError::Revoked,
            // A wrong signature means another authority of the same name: the issuer's name matches and its key does
            // not.
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
        // A list that another key signed, or that cannot be parsed, proves nothing about the certificate.
        rustls::Error::InvalidCertRevocationList(CertRevocationListError::IssuerInvalidForCrl) => {
            IdentityError::BadChain
        }
        rustls::Error::InvalidCertRevocationList(_) => IdentityError::RevocationUnknown,
        _ => IdentityError::BadChain,
    }
}

/// The reason for a failed handshake, in one word for metrics and logs. It never contains input of the client.
pub fn failure_reason(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(rustls::OtherError(inner))) => {
            // The handshake's verifier puts its own reason inside.
            inner.downcast_ref::<IdentityError>().copied().map_or("bad_chain", IdentityError::reason)
        }
        rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidCertRevocationList(_) => {
            identity_error(error).reason()
        }
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
