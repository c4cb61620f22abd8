//! `[portal]`: the public listener.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Partner, Quota, Report, Section, gateway::check_origin};

/// The public listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portal {
    /// Whether there is one.
    pub enabled: bool,
    /// The address and port.
    pub listen: SocketAddr,
    /// The origin people and programs address.
    pub public_origin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<PathBuf>,
    /// Connections at once, handshakes included.
    pub max_connections: u32,
    /// Connections at once of one address.
    pub max_connections_per_address: u32,
    /// Requests of one address.
    pub per_address: Quota,
    /// Readings of the database at once, for all callers together.
    pub max_reads: u32,
}

impl Portal {
    /// The certificate chain and the sealed key: its own, or else the partner listener's.
    pub fn server_files<'a>(&'a self, partner: &'a Partner) -> (&'a PathBuf, &'a PathBuf) {
        match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => (certificate, key),
            _ => (&partner.certificate_file, &partner.key_file),
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
