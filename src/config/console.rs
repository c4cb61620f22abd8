//! `[console]`: the administrators' listener.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Partner, Quota, Report, Section, TlsFiles, gateway::check_origin};

/// The administrators' listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Whether the console is served.
    pub enabled: bool,
    pub listen: SocketAddr,
    /// The origin that operators' browsers connect to.
    pub public_origin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<PathBuf>,
    /// The most open connections, handshakes included.
    pub max_connections: u32,
    /// The most open connections of one address.
    pub max_connections_per_address: u32,
    /// The rate limit of one address.
    pub per_address: Quota,
    session_idle_minutes: u32,
    session_hours: u32,
    invitation_hours: u32,
}

impl Console {
    /// The console's own files, or the partner listener's when it has none.
    pub fn tls_files<'a>(&'a self, partner: &'a Partner) -> TlsFiles<'a> {
        match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => TlsFiles { certificate, key },
            // One file alone is refused by `check`.
            _ => partner.tls_files(),
        }
    }

    /// How long a session may be without a request.
    pub fn session_idle(&self) -> Duration {
        Duration::from_secs(u64::from(self.session_idle_minutes) * 60)
    }

    /// How long a session lasts at most.
    pub fn session_absolute(&self) -> Duration {
        Duration::from_secs(u64::from(self.session_hours) * 3600)
    }

    /// How long a link to enrol is valid.
    pub fn invitation(&self) -> Duration {
        Duration::from_secs(u64::from(self.invitation_hours) * 3600)
    }
}

impl Section for Console {
    fn check(&self, report: &mut Report<'_>) {
        check_origin(report, "public_origin", &self.public_origin);
        self.per_address.check("per_address", report);
        report.require(
            self.certificate_file.is_some() == self.key_file.is_some(),
            "certificate_file",
            "and key_file go together: set both or neither",
        );
        for (key, value, most) in [
            ("max_connections", self.max_connections, 100_000),
            ("max_connections_per_address", self.max_connections_per_address, 100_000),
            ("session_idle_minutes", self.session_idle_minutes, 60),
            ("session_hours", self.session_hours, 24),
            ("invitation_hours", self.invitation_hours, 168),
        ] {
            report.require((1..=most).contains(&value), key, format!("must be 1 to {most}"));
        }
    }
}
