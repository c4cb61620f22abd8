//! The `RateLimit` and `RateLimit-Policy` fields, as draft-ietf-httpapi-ratelimit-headers-11 writes them.
//!
//! The draft is not final (a later one may rename parameters), so this is the one place that knows its syntax.

use std::time::Duration;

use super::Policy;

/// How a request stands with one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyUse {
    /// The policy.
    pub policy: Policy,
    /// How many more it admits at once.
    pub remaining: u32,
    /// Seconds until the whole quota is back, or until the next is admitted where none is left.
    pub seconds: u64,
}

impl PolicyUse {
    pub(super) fn admitted(policy: Policy, remaining: u32) -> Self {
        let missing = u64::from(policy.quota.get().saturating_sub(remaining));
        let seconds = (missing * u64::from(policy.window_seconds.get())).div_ceil(u64::from(policy.quota.get()));
        Self { policy, remaining, seconds }
    }
}

/// Whole seconds, rounded up: never an invitation to come back too early.
pub(super) fn ceiling(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The two field values: `RateLimit-Policy` and `RateLimit`. No partition key: the key is the client itself.
pub fn render(uses: &[PolicyUse]) -> (String, String) {
    let policies: Vec<String> = uses
        .iter()
        .map(|of| format!("\"{}\";q={};w={}", of.policy.name, of.policy.quota, of.policy.window_seconds))
        .collect();
    let state: Vec<String> =
        uses.iter().map(|of| format!("\"{}\";r={};t={}", of.policy.name, of.remaining, of.seconds)).collect();
    (policies.join(", "), state.join(", "))
}
