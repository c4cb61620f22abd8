//! `[authority]`: the gateway's certification authority.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// The gateway's certification authority.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// The directory of the certificate profiles. Default: the profiles that are compiled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profiles_directory: Option<PathBuf>,
    list_hours: u32,
}

impl Authority {
    /// How long a revocation list is valid.
    pub fn list_life(&self) -> Duration {
        Duration::from_hours(u64::from(self.list_hours))
    }
}

impl Section for Authority {
    fn check(&self, report: &mut Report<'_>) {
        report.require((1..=168).contains(&self.list_hours), "list_hours", "must be 1 to 168");
    }
}
