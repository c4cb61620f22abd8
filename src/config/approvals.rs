//! `[approvals]`: acts that need a second operator.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// Acts that need a second operator.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// Whether they do.
    pub required: bool,
    expiry_hours: u32,
}

impl Approvals {
    /// How long a proposal may wait.
    pub fn expiry(&self) -> Duration {
        Duration::from_secs(u64::from(self.expiry_hours) * 3600)
    }
}

impl Section for Approvals {
    fn check(&self, report: &mut Report<'_>) {
        report.require((1..=720).contains(&self.expiry_hours), "expiry_hours", "must be 1 to 720");
    }
}
