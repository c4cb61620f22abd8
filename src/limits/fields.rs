//! The `RateLimit` and `RateLimit-Policy` fields, as draft-ietf-httpapi-ratelimit-headers-11 writes them.
//!
//! The draft is not final (a later one may rename parameters), so this is the one place that knows its syntax.

use std::time::Duration;

use super::Policy;
use crate::domain::QuotaUse;

/// How an admitted request leaves a client with a policy.
pub(super) fn admitted(policy: Policy, remaining: u32) -> QuotaUse {
    let missing = u64::from(policy.quota.get().saturating_sub(remaining));
    let seconds = (missing * u64::from(policy.window_seconds.get())).div_ceil(u64::from(policy.quota.get()));
    stands(policy, remaining, seconds)
}

/// How a client stands with a policy.
pub(super) fn stands(policy: Policy, remaining: u32, seconds: u64) -> QuotaUse {
    QuotaUse {
        name: policy.name,
        quota: policy.quota.get().into(),
        window_seconds: Some(policy.window_seconds.get().into()),
        remaining: remaining.into(),
        seconds: Some(seconds),
    }
}

/// Whole seconds, rounded up: never an invitation to come back too early.
pub(super) fn ceiling(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The two field values: `RateLimit-Policy` and `RateLimit`. No partition key: the key is the client itself, or the
/// consent in the path. What does not come back has neither window nor time.
pub fn render(uses: &[QuotaUse]) -> (String, String) {
    let parameter = |name: &str, value: Option<u64>| value.map_or_else(String::new, |value| format!(";{name}={value}"));
    let policies: Vec<String> =
        uses.iter().map(|of| format!("\"{}\";q={}{}", of.name, of.quota, parameter("w", of.window_seconds))).collect();
    let state: Vec<String> =
        uses.iter().map(|of| format!("\"{}\";r={}{}", of.name, of.remaining, parameter("t", of.seconds))).collect();
    (policies.join(", "), state.join(", "))
}
