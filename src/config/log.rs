//! `[log]`: what is written to standard error.

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// What is logged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is worth a line, per module.
    pub filter: String,
}

impl Section for Log {
    fn check(&self, report: &mut Report<'_>) {
        if let Err(error) = self.filter.parse::<tracing_subscriber::EnvFilter>() {
            report.wrong("filter", error.to_string());
        }
    }
}
