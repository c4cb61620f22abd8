//! The `RateLimit` and `RateLimit-Policy` fields, as draft-ietf-httpapi-ratelimit-headers-11 writes them.
//!
//! The draft is not final (a later one may rename parameters), so this is the one place that knows its syntax.

use std::{fmt::Write, time::Duration};

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
    let (mut policies, mut state) = (String::with_capacity(LENGTH), String::with_capacity(LENGTH));
    for of in uses {
        item(&mut policies, &of.name, ("q", of.quota), ("w", of.window_seconds));
        item(&mut state, &of.name, ("r", of.remaining), ("t", of.seconds));
    }
    (policies, state)
}

/// What the values of two policies take.
const LENGTH: usize = 64;

fn item(field: &mut String, name: &str, (key, value): (&str, u64), (last, of_last): (&str, Option<u64>)) {
    let begins = if field.is_empty() { "" } else { ", " };
    // Writing to a String cannot fail.
    let _ = write!(field, "{begins}\"{name}\";{key}={value}");
    if let Some(of_last) = of_last {
        let _ = write!(field, ";{last}={of_last}");
    }
}
