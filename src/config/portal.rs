//! `[portal]`: the public listener.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Partner, Quota, Report, Section, TlsFiles, gateway::check_origin};

/// The public listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portal {
    /// Whether the portal is served.
    pub enabled: bool,
    pub listen: SocketAddr,
    /// The origin that people and programs connect to.
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
    /// The most parallel reads of the database, for all callers together.
    pub max_reads: u32,
}

impl Portal {
    /// The portal's own files, or the partner listener's when it has none.
    pub fn tls_files<'a>(&'a self, partner: &'a Partner) -> TlsFiles<'a> {
        match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => TlsFiles { certificate, key },
            // One file alone is refused by `check`.
            _ => partner.tls_files(),
        }
    }
}

impl Section for Portal {
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
            ("max_reads", self.max_reads, 1000),
        ] {
            report.require((1..=most).contains(&value), key, format!("must be 1 to {most}"));
        }
    }
}
