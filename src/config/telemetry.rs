//! `[telemetry]`: metrics and health.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// The listener for metrics and health.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// The address of the listener. Port 0 selects a free port.
    pub listen: SocketAddr,
    /// Whether `listen` may be an address that other machines can reach.
    pub beyond_this_host: bool,
    stop_delay_seconds: u32,
}

impl Telemetry {
    /// How long the listeners still accept connections after `/readyz` has begun to fail.
    pub fn stop_delay(&self) -> Duration {
        Duration::from_secs(u64::from(self.stop_delay_seconds))
    }
}

impl Section for Telemetry {
    fn check(&self, report: &mut Report<'_>) {
        // Neither TLS nor authentication protects this listener: that others reach it must be a decision.
        let local = self.listen.ip().is_loopback() || self.beyond_this_host;
        report.require(
            local,
            "listen",
            "is not a loopback address: set beyond_this_host = true if other machines shall reach it",
        );
        report.require(self.stop_delay_seconds <= 300, "stop_delay_seconds", "must be at most 300");
    }
}
