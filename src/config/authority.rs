//! `[authority]`: our own certification authority.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// Our own certification authority.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// Where the certificate profiles are; without it, the ones compiled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profiles_directory: Option<PathBuf>,
    list_hours: u32,
}

impl Authority {
    /// How long a revocation list of ours is good for.
    pub fn list_life(&self) -> Duration {
        Duration::from_hours(u64::from(self.list_hours))
    }
}

impl Section for Authority {
    fn check(&self, report: &mut Report<'_>) {
        report.require((1..=168).contains(&self.list_hours), "list_hours", "must be 1 to 168");
    }
}
