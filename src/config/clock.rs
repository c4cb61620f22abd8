//! `[clock]`: by how much clocks may differ.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// By how much clocks may differ.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// The largest difference between two clocks.
    pub max_offset_seconds: u64,
    /// The longest downtime of all gateways after which a clock is believed.
    pub max_downtime_hours: u64,
}

impl Clock {
    /// The largest difference between two clocks.
    pub const fn max_offset(&self) -> Duration {
        Duration::from_secs(self.max_offset_seconds)
    }

    /// The longest downtime of all gateways after which a clock is believed.
    pub const fn max_downtime(&self) -> Duration {
        Duration::from_secs(self.max_downtime_hours.saturating_mul(3600))
    }
}

impl Section for Clock {
    fn check(&self, report: &mut Report<'_>) {
        report.require(
            (1..=60).contains(&self.max_offset_seconds),
            "max_offset_seconds",
            "must be between 1 and 60: tokens last two minutes at the least",
        );
        report.require(
            (1..=8760).contains(&self.max_downtime_hours),
            "max_downtime_hours",
            "must be between 1 and 8760 (a year)",
        );
    }
}
