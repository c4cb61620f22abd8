//! `[push]`: platforms that receive grades.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Report, Section};
use crate::domain::{Uscc, printable::check_text};

/// The most characters of the evaluator's name.
const LONGEST_NAME: usize = 100;

/// Platforms that receive grades.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The directory of the operator's platforms.
    pub platforms_directory: PathBuf,
    /// The name of the body that grades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluator: Option<String>,
    /// Its unified social credit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluator_uscc: Option<String>,
    /// The platforms that packages are delivered to, by id.
    pub deliver_to: Vec<String>,
    /// How many days a platform has to answer a correction, and the bureau to correct a result after a decision about a fact.
    pub correction_days: u16,
    /// How many days a platform has to answer another package.
    pub answer_days: u16,
    /// Failures in succession after which nothing is delivered for a while.
    pub breaker_failures: u32,
    breaker_shortest_seconds: u32,
    breaker_longest_seconds: u32,
    receipts_seconds: u32,
    receipts_longest_seconds: u32,
    /// Files on their way to another machine.
    pub working_directory: PathBuf,
}

impl Push {
    /// The first wait of a circuit breaker, and the longest one.
    pub fn breaker_waits(&self) -> (Duration, Duration) {
        (seconds(self.breaker_shortest_seconds), seconds(self.breaker_longest_seconds))
    }

    /// The first wait between two readings of receipts, and the longest one.
    pub fn receipt_waits(&self) -> (Duration, Duration) {
        (seconds(self.receipts_seconds), seconds(self.receipts_longest_seconds))
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}

impl Section for Push {
    fn check(&self, report: &mut Report<'_>) {
        if let Some(Err(error)) = self.evaluator.as_deref().map(|name| check_text(name, LONGEST_NAME)) {
            report.wrong("evaluator", error.to_string());
        }
        let uscc = self.evaluator_uscc.as_deref().map(|text| {
            // A code with wrong check characters is nobody's, and the platform would reject every row.
            Uscc::parse(text).ok().filter(|code| code.mismatches().is_empty() && code.implausible().is_none())
        });
        report.require(uscc != Some(None), "evaluator_uscc", "is not a unified social credit code");
        let mut ids = self.deliver_to.clone();
        ids.sort();
        ids.dedup();
        report.require(ids.len() == self.deliver_to.len(), "deliver_to", "names a platform twice");
        for (key, days) in [("correction_days", self.correction_days), ("answer_days", self.answer_days)] {
            report.require((1..=366).contains(&days), key, "must be 1 to 366");
        }
        report.require((1..=1_000).contains(&self.breaker_failures), "breaker_failures", "must be 1 to 1000");
        for (shortest, longest, [first, last]) in [
            (
                self.breaker_shortest_seconds,
                self.breaker_longest_seconds,
                ["breaker_shortest_seconds", "breaker_longest_seconds"],
            ),
            (self.receipts_seconds, self.receipts_longest_seconds, ["receipts_seconds", "receipts_longest_seconds"]),
        ] {
            report.require((1..=86_400).contains(&shortest), first, "must be 1 to 86400");
            report.require(
                (shortest..=86_400).contains(&longest),
                last,
                "must be at least the first wait, and at most 86400",
            );
        }
    }
}
