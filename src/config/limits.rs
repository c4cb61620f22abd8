//! `[limits]`: how much a bank may ask.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// One named limit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// How many.
    pub quota: NonZeroU32,
    /// In how many seconds.
    pub window_seconds: NonZeroU32,
}

/// How much a bank may ask.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests at once.
    pub burst: Quota,
    /// Requests over time.
    pub sustained: Quota,
    /// Pages of deliveries.
    pub deliveries: Quota,
    /// Failures of authentication, by certificate.
    pub authentication_failures: Quota,
}

impl Section for Limits {
    fn check(&self, report: &mut Report<'_>) {
        self.burst.check("burst", report);
        self.sustained.check("sustained", report);
        self.deliveries.check("deliveries", report);
        self.authentication_failures.check("authentication_failures", report);
    }
}

impl Quota {
    /// Reports a quota that cannot be counted.
    pub(super) fn check(self, key: &str, report: &mut Report<'_>) {
        let fits = self.window_seconds.get() <= 86_400 && self.quota.get() <= 10_000_000;
        report.require(fits, key, "must be at most 10000000 in a window of at most a day (86400 seconds)");
    }
}
