//! `[imports]`: files that departments' systems upload.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// Limits of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imports {
    /// The most bytes of one file.
    pub max_bytes: u32,
    /// The most rows of one file.
    pub max_rows: u32,
    /// For how many half-years before the present one grading runs are still possible.
    pub half_years_back: u8,
    /// How many days after its due date a category counts as late.
    pub grace_days: u16,
    reports_days: u32,
}

impl Imports {
    /// How long the report of an import is stored.
    pub fn reports_kept(&self) -> Duration {
        Duration::from_hours(24 * u64::from(self.reports_days))
    }
}

impl Section for Imports {
    fn check(&self, report: &mut Report<'_>) {
        // A file is in memory while it is imported.
        let bytes = (1024..=67_108_864).contains(&self.max_bytes);
        report.require(bytes, "max_bytes", "must be 1024 to 67108864");
        report.require((1..=100_000).contains(&self.max_rows), "max_rows", "must be 1 to 100000");
        report.require(self.half_years_back <= 40, "half_years_back", "must be at most 40");
        report.require(self.grace_days <= 366, "grace_days", "must be at most 366");
        report.require((1..=3660).contains(&self.reports_days), "reports_days", "must be 1 to 3660");
    }
}
