//! Why a connection came to nothing, in words a bank's administrator can act on.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError};

use super::{Profile, show::clean};

/// What went wrong, and how it is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Trouble {
    /// Which part of the way it stopped at.
    pub(in crate::cli) stage: &'static str,
    /// What went wrong.
    pub(in crate::cli) text: String,
    /// How it is mended.
    pub(in crate::cli) mend: String,
}

/// The first cause of a type; an I/O error's inner error, which its `source` passes over, included.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| cause::<T>(inner)) {
            return Some(found);
        }
        at = error.source();
    }
    None
}

impl Trouble {
    /// Reads an error of the HTTP client; none where it does not tell.
    pub(in crate::cli) fn of(error: &reqwest::Error, profile: &Profile) -> Option<Self> {
        if let Some(tls) = cause::<rustls::Error>(error) {
            return Some(Self::of_tls(tls, profile));
        }
        if error.is_timeout() {
            return Some(Self {
                stage: "connection",
                text: "the gateway did not answer in time".into(),
                mend: "try again; if it stays so, a firewall may drop what goes between".into(),
            });
        }
        if texts(error).iter().any(|text| text.contains("dns error")) {
            return Some(Self::of_name(profile));
        }
        let refused = cause::<io::Error>(error).filter(|io| io.kind() == io::ErrorKind::ConnectionRefused);
        refused.map(|io| Self::of_io(io, profile))
    }

    /// An error that nothing more is known of.
    pub(in crate::cli) fn unknown(error: &reqwest::Error) -> Self {
        let mend = "try again; `medcredit bank doctor` goes the way step by step".into();
        Self { stage: "connection", text: clean(&texts(error).join(": ")), mend }
    }

    /// The host's name leads nowhere.
    pub(in crate::cli) fn of_name(profile: &Profile) -> Self {
        Self {
            stage: "name",
            text: format!("the name {} leads to no address", profile.host()),
            mend: "compare origin in the profile with what the bureau gave you, and look at this machine's DNS".into(),
        }
    }

    /// Reads an error of the socket.
    pub(in crate::cli) fn of_io(error: &io::Error, profile: &Profile) -> Self {
        let place = format!("{}:{}", profile.host(), profile.port());
        let (text, mend) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (
                format!("{place} refuses connections: nothing listens there"),
                "compare the port in origin; ask the bureau whether the gateway is up".to_owned(),
            ),
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => (
                format!("{place} ended the connection without a word"),
                "a firewall between may cut TLS it cannot read, or the port is not the gateway's".to_owned(),
            ),
            _ => (format!("{place}: {error}"), "look at the network between here and the gateway".to_owned()),
        };
        Self { stage: "connection", text, mend }
    }

    /// Reads an error of TLS: ours about the gateway's certificate, or the gateway's about ours.
    pub(in crate::cli) fn of_tls(error: &rustls::Error, profile: &Profile) -> Self {
        match error {
            rustls::Error::InvalidCertificate(why) => {
                let (text, mend) = gateways_certificate(why, profile);
                Self { stage: "gateway", text, mend }
            }
            rustls::Error::AlertReceived(alert) => {
                let (text, mend) = refused(*alert);
                Self { stage: "admission", text, mend: mend.to_owned() }
            }
            rustls::Error::InvalidMessage(_) => Self {
                stage: "gateway",
                text: "what answers there does not speak TLS".into(),
                mend: "compare host and port in origin with what the bureau gave you".into(),
            },
            other => Self {
                stage: "gateway",
                text: format!("TLS: {other}"),
                mend: "TLS 1.3 must reach the gateway unbroken; look for a proxy between".into(),
            },
        }
    }
}

/// The texts of an error and its causes.
fn texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut out = vec![error.to_string()];
    let mut at = error.source();
    while let Some(error) = at {
        out.push(error.to_string());
        at = error.source();
    }
    out
}

fn gateways_certificate(why: &CertificateError, profile: &Profile) -> (String, String) {
    let ca = profile.ca.display();
    let clock = "if it is good, this machine's clock is wrong: set it, and keep it by NTP".to_owned();
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            format!("the gateway's certificate was not issued by the authority in {ca}"),
            "ask the bureau for the present authority's certificate and compare fingerprints; trust no other".into(),
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
            (format!("the gateway's certificate is over by this machine's clock{}", context(why)), clock)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (format!("the gateway's certificate is not valid yet by this machine's clock{}", context(why)), clock)
        }
        other => (format!("the gateway's certificate: {other}"), "ask the bureau".into()),
    }
}

/// When the certificate's validity ends or begins, as seconds told by the library.
fn context(why: &CertificateError) -> String {
    let time = |seconds: u64| crate::domain::Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    match why {
        CertificateError::ExpiredContext { time: now, not_after } => {
            format!(": it ended at {}, here it is {}", time(not_after.as_secs()), time(now.as_secs()))
        }
        CertificateError::NotValidYetContext { time: now, not_before } => {
            format!(": it begins at {}, here it is {}", time(not_before.as_secs()), time(now.as_secs()))
        }
        _ => String::new(),
    }
}

/// What the gateway's alert says of our certificate.
fn refused(alert: AlertDescription) -> (String, &'static str) {
    let (why, mend) = match alert {
        AlertDescription::UnknownCA => (
            "was not issued by an authority it trusts",
            "send the bureau the certificate your authority issued, or ask which authority it expects",
        ),
        AlertDescription::CertificateExpired => {
            ("is over, or not valid yet, by the gateway's clock", "have a new one issued and put it into the profile")
        }
        AlertDescription::CertificateRevoked => ("is revoked", "have a new one issued, with a new key"),
        AlertDescription::CertificateRequired => ("did not arrive", "the profile's certificate must be its own first"),
        AlertDescription::UnsupportedCertificate => {
            ("is not for client authentication", "have one issued with the extended key usage clientAuth")
        }
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown | AlertDescription::AccessDenied => (
            "is refused there: too weak, refused by name, or its authority's revocation list is missing or stale",
            "ask the bureau what its log says about your certificate's serial number",
        ),
        AlertDescription::DecryptError => ("does not fit the key", "put the key that belongs to it into the profile"),
        other => return (format!("the gateway ended the handshake: {other:?}"), "ask the bureau what its log says"),
    };
    (format!("the gateway refuses our certificate: it {why}"), mend)
}
