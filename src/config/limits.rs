//! `[limits]`: rate limits of banks.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// A quota of requests in a window.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The number of requests.
    pub quota: NonZeroU32,
    /// The length of the window.
    pub window_seconds: NonZeroU32,
}

/// Rate limits of banks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests in a short window.
    pub burst: Quota,
    /// Requests in a long window.
    pub sustained: Quota,
    /// Pages of deliveries.
    pub deliveries: Quota,
    /// Authentication failures of one certificate.
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
    /// Reports a quota that is too large.
    pub(super) fn check(self, key: &str, report: &mut Report<'_>) {
        let fits = self.window_seconds.get() <= 86_400 && self.quota.get() <= 10_000_000;
        report.require(fits, key, "must be at most 10000000 in a window of at most a day (86400 seconds)");
    }
}
