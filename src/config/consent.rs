//! `[consent]`: limits of consents.

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// Limits of consents.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// How long a request stays pending until it expires.
    pub request_days: i64,
    /// The validity of a request that names none.
    pub default_validity_days: i64,
    pub max_validity_days: i64,
    /// The months of data of a request that names none.
    pub default_data_months: i32,
    /// The most months of data.
    pub max_data_months: i32,
    /// The most pending requests of one bank, unless its registration has another number.
    pub max_pending: i64,
}

impl Section for Consent {
    fn check(&self, report: &mut Report<'_>) {
        report.require((1..=365).contains(&self.request_days), "request_days", "must be between 1 and 365");
        report.require(
            (1..=1096).contains(&self.max_validity_days),
            "max_validity_days",
            "must be between 1 and 1096 (three years)",
        );
        let default = (1..=self.max_validity_days).contains(&self.default_validity_days);
        report.require(default, "default_validity_days", "must be between 1 and max_validity_days");
        report.require((1..=120).contains(&self.max_data_months), "max_data_months", "must be between 1 and 120");
        let months = (1..=self.max_data_months).contains(&self.default_data_months);
        report.require(months, "default_data_months", "must be between 1 and max_data_months");
        report.require((1..=1_000_000).contains(&self.max_pending), "max_pending", "must be between 1 and 1000000");
    }
}
