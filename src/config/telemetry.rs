//! `[telemetry]`: metrics and health.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// Where metrics and health are served.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// The address of the listener. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether `listen` may be an address that other machines reach.
    pub beyond_this_host: bool,
}

impl Section for Telemetry {
    fn check(&self, report: &mut Report<'_>) {
        let kept_in = self.listen.ip().is_loopback() || self.beyond_this_host;
        report.require(kept_in, "listen", "is not a loopback address: set beyond_this_host = true if that is meant");
    }
}
