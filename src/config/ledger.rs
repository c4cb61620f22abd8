//! `[ledger]`: recording of responses and sealing of the log.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// Recording of responses and sealing of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// The log's epoch: of a new log the configured one, later the one in the database.
    pub epoch: u32,
    /// The file outside the database to which the newest checkpoint is also written.
    pub checkpoint_file: PathBuf,
    seal_interval_ms: u64,
    linger_ms: u64,
    /// The most responses in one transaction.
    pub max_batch: usize,
    /// The most responses that wait to be recorded.
    pub queue: usize,
    queue_megabytes: usize,
}

impl Ledger {
    /// The log's origin: the public host, and the epoch.
    pub fn origin(&self, public_origin: &str) -> String {
        let host =
            self.host.as_deref().unwrap_or_else(|| public_origin.strip_prefix("https://").unwrap_or(public_origin));
        format!("{host}/ledger/{}", self.epoch)
    }

    /// How often the log is sealed.
    pub fn seal_interval(&self) -> Duration {
        Duration::from_millis(self.seal_interval_ms)
    }

    /// How long a batch waits for more responses.
    pub fn linger(&self) -> Duration {
        Duration::from_millis(self.linger_ms)
    }

    /// The most bytes of responses that wait to be recorded.
    pub fn queue_bytes(&self) -> usize {
        self.queue_megabytes.saturating_mul(1024 * 1024)
    }

    /// Within which time receipts promise sealing: two intervals and a minute, so that a restart does not break a promise.
    pub fn sealed_within(&self) -> Duration {
        self.seal_interval() * 2 + Duration::from_mins(1)
    }
}

impl Section for Ledger {
    fn check(&self, report: &mut Report<'_>) {
        // Part of the log's origin, the name in signed notes, which has neither space nor plus.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '/');
        let named = self.host.as_ref().is_none_or(|host| !host.is_empty() && host.chars().all(plain));
        report.require(named, "host", "must be a name as in credit.example.gov.cn");
        report.require(self.epoch >= 1, "epoch", "must be at least 1");
        report.require(
            (50..=60_000).contains(&self.seal_interval_ms),
            "seal_interval_ms",
            "must be between 50 and 60000",
        );
        report.require(self.linger_ms <= 20, "linger_ms", "must be at most 20");
        report.require((1..=4096).contains(&self.max_batch), "max_batch", "must be between 1 and 4096");
        report.require((1..=1_000_000).contains(&self.queue), "queue", "must be between 1 and 1000000");
        report.require(
            (1..=1_048_576).contains(&self.queue_megabytes),
            "queue_megabytes",
            "must be between 1 and 1048576",
        );
    }
}
