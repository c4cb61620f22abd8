//! Why a request got no answer, in words an operator can act on.

use std::io;

use rustls::CertificateError;

use super::{
    super::{Failed, FailureReason, verdict::cut},
    networks::NoAddress,
};
use crate::{
    domain::{cause, error_chain},
    push::platform::{AddressRefused, PlatformUrl},
};

/// A request that failed before its answer was complete.
pub(super) fn connection_failed(error: &reqwest::Error, base: &PlatformUrl) -> Failed {
    let at = base.authority();
    if let Some(refused) = cause::<AddressRefused>(error) {
        return Failed::passing(FailureReason::Network, refused.to_string());
    }
    if let Some(unknown) = cause::<NoAddress>(error) {
        return Failed::passing(
            FailureReason::Name,
            format!("{}: check the DNS and the platform's url", error_chain(unknown)),
        );
    }
    if let Some(tls) = cause::<rustls::Error>(error) {
        return tls_failed(tls, base);
    }
    if error.is_timeout() {
        let (what, then) = if error.is_connect() {
            ("accepted no connection in time", "a firewall may drop the packets")
        } else {
            ("did not answer in time", "whether it has the page is unknown; the next attempt has the same key")
        };
        return Failed::passing(FailureReason::Timeout, format!("{at} {what}: {then}"));
    }
    match cause::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => {
            Failed::passing(FailureReason::Refused, format!("{at} refuses connections: nothing listens there"))
        }
        // What HTTP reports of a connection that ended has no type of its own, and is no failure to connect.
        _ if !error.is_connect() && !error.is_builder() => Failed::passing(
            FailureReason::Closed,
            format!("{at} ended the connection before its answer was complete: {}", cut(&error_chain(error))),
        ),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => {
            let why = "closed the connection during the handshake: a firewall may block TLS, or the port is another service's";
            Failed::passing(FailureReason::Closed, format!("{at} {why}"))
        }
        _ => Failed::passing(FailureReason::Connection, format!("{at}: {}", cut(&error_chain(error)))),
    }
}

fn tls_failed(error: &rustls::Error, base: &PlatformUrl) -> Failed {
    let at = base.authority();
    let (reason, why) = match error {
        rustls::Error::InvalidCertificate(why) => (FailureReason::Certificate, receivers_certificate(why, base)),
        rustls::Error::AlertReceived(alert) => (
            FailureReason::Tls,
            format!("{at} does not accept our certificate ({alert:?}): have its operator look up our certificate"),
        ),
        rustls::Error::InvalidMessage(_) => {
            (FailureReason::Tls, format!("{at} does not speak TLS: check host and port"))
        }
        other => (FailureReason::Tls, format!("{at}: TLS 1.3 failed: {other}")),
    };
    Failed::passing(reason, why)
}

fn receivers_certificate(why: &CertificateError, base: &PlatformUrl) -> String {
    let host = base.host();
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the certificate of {host} was not issued by the authority in the platform's ca file: ask its operator for the \
             current one, and compare fingerprints"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate of {host} is for other names: put the name that its operator gave you into url")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate of {host} has expired: its operator must renew it")
        }
        other => format!("the certificate of {host} is not accepted: {other}"),
    }
}
