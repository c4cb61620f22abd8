//! Why a connection failed, in words a bank's administrator can act on.

use std::io;

use rustls::{AlertDescription, CertificateError};

use super::{profile::Profile, show::clean};
use crate::domain::{cause, error_chain};

/// What failed, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Diagnosis {
    /// The step that failed: `name`, `connection`, `gateway` or `admission`.
    pub(in crate::cli) stage: &'static str,
    pub(in crate::cli) text: String,
    pub(in crate::cli) fix: String,
}

impl Diagnosis {
    /// Diagnoses an error of the HTTP client; none where the error does not say enough.
    pub(in crate::cli) fn of(error: &reqwest::Error, profile: &Profile) -> Option<Self> {
        if let Some(tls) = cause::<rustls::Error>(error) {
            return Some(Self::of_tls(tls, profile));
        }
        if error.is_timeout() {
            return Some(Self {
                stage: "connection",
                text: "the gateway did not answer in time".into(),
                fix: "try again; if it fails again, a firewall may drop the packets".into(),
            });
        }
        // The HTTP client exports no type for this error, only its text.
        if error_chain(error).contains("dns error") {
            return Some(Self::of_name(profile));
        }
        let refused = cause::<io::Error>(error).filter(|io| io.kind() == io::ErrorKind::ConnectionRefused);
        refused.map(|io| Self::of_io(io, profile))
    }

    /// An error without a known cause.
    pub(in crate::cli) fn unknown(error: &reqwest::Error) -> Self {
        let fix = "try again; `medcredit bank doctor` checks the connection step by step".into();
        Self { stage: "connection", text: clean(&error_chain(error)), fix }
    }

    /// The host's name resolves to no address.
    pub(in crate::cli) fn of_name(profile: &Profile) -> Self {
        Self {
            stage: "name",
            text: format!("the name {} resolves to no address", profile.host()),
            fix: "compare origin in the profile with what the bureau gave you, and check this machine's DNS".into(),
        }
    }

    /// Diagnoses an error of the socket.
    pub(in crate::cli) fn of_io(error: &io::Error, profile: &Profile) -> Self {
        let address = format!("{}:{}", profile.host(), profile.port());
        let (text, fix) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (
                format!("{address} refuses connections: nothing listens there"),
                "compare the port in origin; ask the bureau whether the gateway is up".to_owned(),
            ),
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => (
                format!("{address} closed the connection without an alert"),
                "a firewall may block TLS that it cannot read, or the port is not the gateway's".to_owned(),
            ),
            _ => (format!("{address}: {error}"), "check the network between here and the gateway".to_owned()),
        };
        Self { stage: "connection", text, fix }
    }

    /// Diagnoses a TLS error: ours about the gateway's certificate, or the gateway's about ours.
    pub(in crate::cli) fn of_tls(error: &rustls::Error, profile: &Profile) -> Self {
        match error {
            rustls::Error::InvalidCertificate(why) => {
                let (text, fix) = gateway_certificate(why, profile);
                Self { stage: "gateway", text, fix }
            }
            rustls::Error::AlertReceived(alert) => {
                let (text, fix) = refused(*alert);
                Self { stage: "admission", text, fix: fix.to_owned() }
            }
            rustls::Error::InvalidMessage(_) => Self {
                stage: "gateway",
                text: "the server does not speak TLS".into(),
                fix: "compare host and port in origin with what the bureau gave you".into(),
            },
            other => Self {
                stage: "gateway",
                text: format!("TLS: {other}"),
                fix: "TLS 1.3 must reach the gateway unchanged; look for a proxy in between".into(),
            },
        }
    }
}

fn gateway_certificate(why: &CertificateError, profile: &Profile) -> (String, String) {
    let ca = profile.ca.display();
    let clock = "if the certificate is good, this machine's clock is wrong: set it, and keep it by NTP".to_owned();
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            format!("the gateway's certificate was not issued by the authority in {ca}"),
            "ask the bureau for the certificate of its current authority and compare fingerprints; trust no other"
                .into(),
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = match why {
                CertificateError::NotValidForNameContext { presented, .. } => presented.join(", "),
                _ => "other names".into(),
            };
            (
                format!("the gateway's certificate is for {}, not for {}", clean(&names), profile.host()),
                "put the name the bureau gave you into origin, not an address or an alias".into(),
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            (format!("the gateway's certificate has expired by this machine's clock{}", context(why)), clock)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (format!("the gateway's certificate is not valid yet by this machine's clock{}", context(why)), clock)
        }
        other => (format!("the gateway's certificate: {other}"), "ask the bureau".into()),
    }
}

/// When the certificate expires or becomes valid, as far as the library reports it.
fn context(why: &CertificateError) -> String {
    let time = |seconds: u64| crate::domain::Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    match why {
        CertificateError::ExpiredContext { time: now, not_after } => {
            format!(": it expired at {}, here it is {}", time(not_after.as_secs()), time(now.as_secs()))
        }
        CertificateError::NotValidYetContext { time: now, not_before } => {
            format!(": it is valid from {}, here it is {}", time(not_before.as_secs()), time(now.as_secs()))
        }
        _ => String::new(),
    }
}

/// What the gateway's alert means for our certificate.
fn refused(alert: AlertDescription) -> (String, &'static str) {
    let (why, fix) = match alert {
        AlertDescription::UnknownCA => (
            "was not issued by an authority it trusts",
            "send the bureau the certificate your authority issued, or ask which authority it expects",
        ),
        AlertDescription::CertificateExpired => (
            "has expired, or is not valid yet, by the gateway's clock",
            "have a new one issued and put it into the profile",
        ),
        AlertDescription::CertificateRevoked => ("is revoked", "have a new one issued, with a new key"),
        AlertDescription::CertificateRequired => {
            ("was not sent", "put this bank's own certificate first in the profile's certificate file")
        }
        AlertDescription::UnsupportedCertificate => {
            ("is not for client authentication", "have one issued with the extended key usage clientAuth")
        }
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown | AlertDescription::AccessDenied => (
            "is too weak, is refused by thumbprint, or its authority's revocation list is missing or stale",
            "ask the bureau to look up your certificate's serial number in the gateway's log",
        ),
        AlertDescription::DecryptError => ("does not match the key", "put the key of the certificate into the profile"),
        other => {
            return (
                format!("the gateway ended the handshake: {other:?}"),
                "ask the bureau to look in the gateway's log",
            );
        }
    };
    (format!("the gateway refuses our certificate: it {why}"), fix)
}
