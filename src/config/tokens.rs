//! `[tokens]`: access tokens.

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// Access tokens.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// How long a token is valid.
    pub lifetime_seconds: i64,
}

impl Section for Tokens {
    fn check(&self, report: &mut Report<'_>) {
        report.require(
            (120..=600).contains(&self.lifetime_seconds),
            "lifetime_seconds",
            "must be between 120 and 600 (two to ten minutes)",
        );
    }
}
