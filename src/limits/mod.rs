//! Named rate limits, with governor, by client: `burst`, `sustained`, those of heavy operations such as `deliveries`, and
//! authentication failures by certificate. Public callers are limited by address. The bytes of bodies in memory have one
//! budget, with a share for each client.
//!
//! Each process has its own counters, and a restart resets them: they protect the gateway, not the data. What must be exact
//! over several gateways (a consent's fetches and its daily budget) is counted in the ledger's append instead. Quotas follow
//! GCRA: a client may use its full quota immediately, and then regains it gradually over the window.

mod addresses;
mod bytes;
mod fields;

use std::{collections::HashMap, num::NonZeroU32, sync::RwLock, time::Duration};

use governor::{
    Quota, RateLimiter, clock::Clock as GovernorClock, middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};

pub use addresses::AddressLimit;
pub use bytes::{ByteBudget, HeldBytes};
pub use fields::render;

use crate::domain::{Failure, FailureKind, QuotaUse, clock::SharedClock};

/// A named quota of requests in a window.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Policy {
    /// The name in `RateLimit-Policy`.
    pub name: String,
    /// The number of requests.
    pub quota: NonZeroU32,
    /// The length of the window.
    pub window_seconds: NonZeroU32,
}

impl Policy {
    fn quota(&self) -> Quota {
        let window = Duration::from_secs(u64::from(self.window_seconds.get()));
        let each = window / self.quota.get();
        // Infallible: a second divided by at most 2^32 is never zero.
        Quota::with_period(each).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN)).allow_burst(self.quota)
    }
}

/// The injected clock for governor. Monotonic, so that a clock that is set, or was wrong for a while, locks nobody out and
/// gives nobody more (I10).
#[derive(Debug, Clone)]
struct LimitClock(SharedClock);

impl GovernorClock for LimitClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

type Keyed = RateLimiter<String, DashMapStateStore<String>, LimitClock, StateInformationMiddleware>;

/// The limits of a process, with their counters.
#[derive(Debug)]
pub struct Limits {
    clock: LimitClock,
    /// Checked on every request, in this order.
    policies: Vec<Policy>,
    /// Checked only by operations that name one of them.
    heavy: Vec<Policy>,
    auth_failures: Policy,
    limiters: RwLock<HashMap<Policy, std::sync::Arc<Keyed>>>,
    /// Certificates with too many authentication failures, and until when they are paused.
    paused: RwLock<HashMap<String, Duration>>,
}

/// The quotas that a client has instead of those of the policies, by policy name.
pub type Overrides = std::collections::BTreeMap<String, u32>;

impl Limits {
    /// Makes limits with policies for requests and one for authentication failures.
    pub fn new(clock: SharedClock, policies: Vec<Policy>, auth_failures: Policy) -> Self {
        let clock = LimitClock(clock);
        let heavy = Vec::new();
        Self { clock, policies, heavy, auth_failures, limiters: RwLock::default(), paused: RwLock::default() }
    }

    /// Adds a policy for a heavy operation, which [`Limits::admit_heavy`] counts in addition to the request.
    #[must_use]
    pub fn with_heavy(mut self, policy: Policy) -> Self {
        self.heavy.push(policy);
        self
    }

    fn limiter(&self, policy: &Policy) -> std::sync::Arc<Keyed> {
        // Read-locked first: the limiters exist after the first requests, and every request comes by here.
        if let Some(limiter) = self.limiters.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(policy) {
            return limiter.clone();
        }
        // Another thread may have made it between the two locks: `entry` looks again.
        let mut limiters = self.limiters.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        limiters
            .entry(policy.clone())
            .or_insert_with(|| {
                let limiter: Keyed = RateLimiter::new(policy.quota(), DashMapStateStore::default(), self.clock.clone());
                std::sync::Arc::new(limiter)
            })
            .clone()
    }

    fn with_override(policy: &Policy, overrides: &Overrides) -> Policy {
        // Zero counts as no override: a quota cannot be zero.
        match overrides.get(&policy.name).copied().and_then(NonZeroU32::new) {
            Some(quota) => Policy { quota, ..policy.clone() },
            None => policy.clone(),
        }
    }

    /// The policies of a client with these overrides.
    pub fn policies(&self, overrides: &Overrides) -> Vec<Policy> {
        self.policies.iter().chain(&self.heavy).map(|policy| Self::with_override(policy, overrides)).collect()
    }

    /// Counts a request of a client against every policy. The request is admitted if all policies admit it.
    pub fn admit(&self, client: &str, overrides: &Overrides) -> (Vec<QuotaUse>, Result<(), Failure>) {
        self.count(client, self.policies.iter().map(|policy| Self::with_override(policy, overrides)))
    }

    /// Counts a heavy operation of a client against the policy of a name. An unknown name limits nothing.
    pub fn admit_heavy(&self, name: &str, client: &str, overrides: &Overrides) -> (Vec<QuotaUse>, Result<(), Failure>) {
        let named = self.heavy.iter().filter(|policy| policy.name == name);
        self.count(client, named.map(|policy| Self::with_override(policy, overrides)))
    }

    fn count(&self, client: &str, policies: impl Iterator<Item = Policy>) -> (Vec<QuotaUse>, Result<(), Failure>) {
        let mut uses = Vec::with_capacity(self.policies.len());
        let mut violated = Vec::new();
        let mut wait = Duration::ZERO;
        // All are counted even if one refuses: the response states each of them (M7).
        for policy in policies {
            match self.limiter(&policy).check_key(&client.to_owned()) {
                Ok(state) => {
                    let remaining = state.remaining_burst_capacity();
                    uses.push(fields::admitted(policy, remaining));
                }
                Err(until) => {
                    let needed = until.wait_time_from(self.clock.now());
                    // The longest: after a shorter wait another policy would still refuse (M7).
                    wait = wait.max(needed);
                    violated.push(policy.name.clone());
                    uses.push(fields::usage(policy, 0, fields::ceiling(needed)));
                }
            }
        }
        let outcome = if violated.is_empty() { Ok(()) } else { Err(too_many(wait, violated)) };
        (uses, outcome)
    }

    /// Counts an authentication failure of a certificate. Too many in the window pause it.
    pub fn note_failure(&self, thumbprint: &str) {
        if let Err(until) = self.limiter(&self.auth_failures).check_key(&thumbprint.to_owned()) {
            let end = self.clock.now() + until.wait_time_from(self.clock.now());
            // Only certificates that passed the handshake get here, and `tidy` removes those that are over.
            self.paused.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(thumbprint.to_owned(), end);
        }
    }

    /// Refuses a certificate while it is paused.
    pub fn may_authenticate(&self, thumbprint: &str) -> Result<(), Failure> {
        let now = self.clock.now();
        // Copied out of the lock, so that the refusal is built without it.
        let end = self.paused.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(thumbprint).copied();
        match end {
            Some(end) if end > now => Err(Failure::new(
                FailureKind::Limited {
                    retry_after: end.saturating_sub(now),
                    policies: vec![self.auth_failures.name.clone()],
                },
                "authentication_paused",
                "Authentication failed too often with this certificate. Try again after `Retry-After`.",
            )),
            _ => Ok(()),
        }
    }

    /// Removes the counters of clients with a full quota, so that memory does not grow.
    pub fn tidy(&self) {
        for limiter in self.limiters.read().unwrap_or_else(std::sync::PoisonError::into_inner).values() {
            limiter.retain_recent();
        }
        let now = self.clock.now();
        self.paused.write().unwrap_or_else(std::sync::PoisonError::into_inner).retain(|_, end| *end > now);
    }
}

/// The refusal of a request beyond a quota.
fn too_many(wait: Duration, policies: Vec<String>) -> Failure {
    metrics::counter!("medcredit_limited_total").increment(1);
    Failure::new(
        FailureKind::Limited { retry_after: wait, policies },
        "rate_limited",
        "Too many requests. Try again after `Retry-After`.",
    )
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::{Limits, Overrides, Policy};
    use crate::domain::{Clock as _, FailureKind, ManualClock, Timestamp};

    fn policy(name: &str, quota: u32, window: u32) -> Policy {
        Policy {
            name: name.into(),
            quota: NonZeroU32::new(quota).unwrap(),
            window_seconds: NonZeroU32::new(window).unwrap(),
        }
    }

    fn limits() -> (std::sync::Arc<ManualClock>, Limits) {
        let clock = ManualClock::new(Timestamp::from_seconds(1_800_000_000));
        let limits = Limits::new(
            clock.clone(),
            vec![policy("burst", 10, 10), policy("sustained", 15, 60)],
            policy("auth", 3, 60),
        );
        (clock, limits)
    }

    #[test]
    fn exactly_the_quota_is_admitted_and_regained_over_time() {
        let (clock, limits) = limits();
        let none = Overrides::new();
        let admitted = (0..100).filter(|_| limits.admit("a", &none).1.is_ok()).count();
        assert_eq!(admitted, 10);
        clock.advance(Duration::from_secs(1));
        // The burst quota has regained one; the sustained quota counted every attempt, refused ones too.
        let (uses, outcome) = limits.admit("a", &none);
        assert_eq!(uses.len(), 2);
        let FailureKind::Limited { retry_after, policies } = outcome.unwrap_err().kind else { panic!("not limited") };
        assert_eq!(policies, ["sustained"]);
        assert!(retry_after > Duration::ZERO);
        assert!(limits.admit("b", &none).1.is_ok(), "another client has its own quota");
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let (clock, limits) = limits();
        assert!(limits.admit("a", &Overrides::new()).1.is_ok());
        clock.set(Timestamp::from_seconds(1_700_000_000));
        assert!(limits.admit("a", &Overrides::new()).1.is_ok());
    }

    #[test]
    fn a_clock_that_was_ahead_for_a_while_freezes_no_quota() {
        let (clock, limits) = limits();
        let right = clock.now();
        clock.set(right.plus(Duration::from_hours(2)));
        assert_eq!((0..100).filter(|_| limits.admit("a", &Overrides::new()).1.is_ok()).count(), 10);
        limits.tidy();
        clock.set(right);
        assert!(limits.admit("a", &Overrides::new()).1.is_err(), "the quota is used up, whatever the clock shows");
        clock.advance(Duration::from_mins(1));
        assert!(limits.admit("a", &Overrides::new()).1.is_ok());
    }

    #[test]
    fn a_banks_own_quota_replaces_the_default() {
        let (_, limits) = limits();
        let own = Overrides::from([("burst".to_owned(), 2)]);
        assert_eq!((0..100).filter(|_| limits.admit("a", &own).1.is_ok()).count(), 2);
    }

    #[test]
    fn heavy_operations_are_counted_separately_and_listed_with_the_rest() {
        let (_, limits) = limits();
        let limits = limits.with_heavy(policy("deliveries", 2, 60));
        let none = Overrides::new();
        for admitted in [true, true, false] {
            let (uses, outcome) = limits.admit_heavy("deliveries", "a", &none);
            assert_eq!((uses.len(), outcome.is_ok()), (1, admitted));
        }
        // Requests and heavy operations do not count against each other.
        assert!(limits.admit("a", &none).1.is_ok());
        assert!(limits.admit_heavy("deliveries", "b", &none).1.is_ok());
        let own = Overrides::from([("deliveries".to_owned(), 1)]);
        assert!(limits.admit_heavy("deliveries", "c", &own).1.is_ok());
        assert!(limits.admit_heavy("deliveries", "c", &own).1.is_err());
        let names: Vec<_> = limits.policies(&none).into_iter().map(|policy| policy.name).collect();
        assert_eq!(names, ["burst", "sustained", "deliveries"]);
    }

    #[test]
    fn repeated_failures_pause_a_certificate_for_a_while() {
        let (clock, limits) = limits();
        for _ in 0..3 {
            limits.note_failure("x");
            assert!(limits.may_authenticate("x").is_ok());
        }
        limits.note_failure("x");
        assert!(limits.may_authenticate("x").is_err());
        assert!(limits.may_authenticate("y").is_ok());
        clock.advance(Duration::from_secs(21));
        assert!(limits.may_authenticate("x").is_ok());
    }
}
