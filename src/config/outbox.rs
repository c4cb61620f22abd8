//! `[outbox]`: retries of events and outbound deliveries.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// Retries of events and outbound deliveries.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    schedule_seconds: Vec<u32>,
    /// By up to how many percent a wait is randomly shortened or lengthened.
    pub jitter_percent: u32,
    lease_seconds: u32,
    longest_retry_after_seconds: u32,
    events_days: u32,
}

impl Outbox {
    /// The waits before the first attempt, the second, and so on.
    pub fn schedule(&self) -> Vec<Duration> {
        self.schedule_seconds.iter().map(|seconds| Duration::from_secs(u64::from(*seconds))).collect()
    }

    /// How long a worker leases an item.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(u64::from(self.lease_seconds))
    }

    /// The longest `Retry-After` of a receiver that is honoured.
    pub fn longest_retry_after(&self) -> Duration {
        Duration::from_secs(u64::from(self.longest_retry_after_seconds))
    }

    /// How long an event is stored.
    pub fn events_kept(&self) -> Duration {
        Duration::from_hours(24 * u64::from(self.events_days))
    }
}

impl Section for Outbox {
    fn check(&self, report: &mut Report<'_>) {
        let waits = &self.schedule_seconds;
        report.require((1..=50).contains(&waits.len()), "schedule_seconds", "must be 1 to 50 waits");
        report.require(waits.iter().all(|wait| *wait <= 604_800), "schedule_seconds", "no wait may be over a week");
        report.require(self.jitter_percent <= 50, "jitter_percent", "must be 0 to 50");
        report.require((1..=3600).contains(&self.lease_seconds), "lease_seconds", "must be 1 to 3600");
        let longest = (1..=604_800).contains(&self.longest_retry_after_seconds);
        report.require(longest, "longest_retry_after_seconds", "must be 1 to 604800");
        report.require((1..=3660).contains(&self.events_days), "events_days", "must be 1 to 3660");
    }
}
