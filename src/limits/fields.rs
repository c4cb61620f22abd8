//! The `RateLimit` and `RateLimit-Policy` header fields (draft-ietf-httpapi-ratelimit-headers-11).
//!
//! Only this file knows their syntax, because a later draft may rename parameters.

use std::{fmt::Write, time::Duration};

use super::Policy;
use crate::domain::QuotaUse;

/// The use of a policy after a request that was admitted.
pub(super) fn admitted(policy: Policy, remaining: u32) -> QuotaUse {
    // Requests are regained one by one: those that are missing take their share of the window.
    let missing = u64::from(policy.quota.get().saturating_sub(remaining));
    let seconds = (missing * u64::from(policy.window_seconds.get())).div_ceil(u64::from(policy.quota.get()));
    usage(policy, remaining, seconds)
}

/// The use of a policy with this much remaining and these seconds until the quota is full again.
pub(super) fn usage(policy: Policy, remaining: u32, seconds: u64) -> QuotaUse {
    QuotaUse {
        name: policy.name,
        quota: policy.quota.get().into(),
        window_seconds: Some(policy.window_seconds.get().into()),
        remaining: remaining.into(),
        seconds: Some(seconds),
    }
}

/// Rounds a wait up to whole seconds, so that a client never returns too early.
pub(super) fn ceiling(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Renders the values of `RateLimit-Policy` and `RateLimit`. They have no partition key, because the key is the client or the
/// consent in the path. A quota that is never replenished has neither window nor time.
pub fn render(uses: &[QuotaUse]) -> (String, String) {
    let (mut policies, mut state) = (String::with_capacity(LENGTH), String::with_capacity(LENGTH));
    for usage in uses {
        let (quota, window) = (Parameter::required("q", usage.quota), Parameter::optional("w", usage.window_seconds));
        append(&mut policies, &usage.name, [quota, window]);
        let (left, reset) = (Parameter::required("r", usage.remaining), Parameter::optional("t", usage.seconds));
        append(&mut state, &usage.name, [left, reset]);
    }
    (policies, state)
}

/// The usual length of a field, with two policies.
const LENGTH: usize = 64;

/// A parameter of an item; omitted without a value.
struct Parameter {
    key: &'static str,
    value: Option<u64>,
}

impl Parameter {
    const fn required(key: &'static str, value: u64) -> Self {
        Self { key, value: Some(value) }
    }

    const fn optional(key: &'static str, value: Option<u64>) -> Self {
        Self { key, value }
    }
}

fn append(field: &mut String, name: &str, parameters: [Parameter; 2]) {
    let separator = if field.is_empty() { "" } else { ", " };
    // Writing to a String cannot fail.
    let _ = write!(field, "{separator}\"{name}\"");
    for Parameter { key, value } in parameters {
        if let Some(value) = value {
            let _ = write!(field, ";{key}={value}");
        }
    }
}
