//! `[log]`: the log on standard error.

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text, for people.
    Text,
}

/// The log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The format of a line.
    pub format: LogFormat,
    /// The least level that is logged, by module: `info`, or `info,medcredit::store=debug`.
    pub filter: String,
}

impl Section for Log {
    fn check(&self, report: &mut Report<'_>) {
        if let Err(error) = self.filter.parse::<tracing_subscriber::filter::Targets>() {
            report.wrong("filter", error.to_string());
        }
    }
}
