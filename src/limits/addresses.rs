//! A rate limit by address, for public callers. Its memory is bounded by construction.

use std::net::IpAddr;

use aws_lc_rs::digest;
use governor::{RateLimiter, middleware::StateInformationMiddleware, state::keyed::DashMapStateStore};

use super::{LimitClock, Policy, fields, too_many};
use crate::domain::{Entropy, Failure, QuotaUse, clock::SharedClock};

type Keyed = RateLimiter<u16, DashMapStateStore<u16>, LimitClock, StateInformationMiddleware>;

/// Counts requests by address, in 65536 buckets: memory does not grow with the number of addresses. The choice of the bucket is
/// salted, so that nobody can choose to share a bucket with somebody else.
#[derive(Debug)]
pub struct AddressLimit {
    policy: Policy,
    limiter: Keyed,
    salt: [u8; 16],
    clock: LimitClock,
}

impl AddressLimit {
    /// Makes a limit with a random salt.
    pub fn new(clock: SharedClock, entropy: &dyn Entropy, policy: Policy) -> Self {
        let clock = LimitClock(clock);
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let limiter: Keyed = RateLimiter::new(policy.quota(), DashMapStateStore::default(), clock.clone());
        Self { policy, limiter, salt, clock }
    }

    fn bucket(&self, address: IpAddr) -> u16 {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.salt);
        match address {
            IpAddr::V4(v4) => context.update(&v4.octets()),
            IpAddr::V6(v6) => context.update(&v6.octets()),
        }
        // A SHA-256 always has two bytes, so the default is not reached.
        context.finish().as_ref().first_chunk::<2>().copied().map_or(0, u16::from_be_bytes)
    }

    /// Counts a request from an address.
    pub fn admit(&self, address: IpAddr) -> (QuotaUse, Result<(), Failure>) {
        match self.limiter.check_key(&self.bucket(address)) {
            Ok(state) => (fields::admitted(self.policy.clone(), state.remaining_burst_capacity()), Ok(())),
            Err(until) => {
                let wait = until.wait_time_from(governor::clock::Clock::now(&self.clock));
                let used = fields::usage(self.policy.clone(), 0, fields::ceiling(wait));
                (used, Err(too_many(wait, vec![self.policy.name.clone()])))
            }
        }
    }

    /// Removes buckets with a full quota.
    pub fn tidy(&self) {
        self.limiter.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        num::NonZeroU32,
        time::Duration,
    };

    use super::{AddressLimit, Policy};
    use crate::domain::{ManualClock, SeededEntropy, Timestamp};

    fn limit() -> (std::sync::Arc<ManualClock>, AddressLimit) {
        let clock = ManualClock::new(Timestamp::from_seconds(1_800_000_000));
        let policy = Policy {
            name: "address".into(),
            quota: NonZeroU32::new(3).unwrap(),
            window_seconds: NonZeroU32::new(60).unwrap(),
        };
        let limit = AddressLimit::new(clock.clone(), &*SeededEntropy::new(1), policy);
        (clock, limit)
    }

    #[test]
    fn an_address_regains_its_quota() {
        let (clock, limit) = limit();
        let (one, other) = (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));
        assert_eq!((0..100).filter(|_| limit.admit(one).1.is_ok()).count(), 3);
        let (used, refused) = limit.admit(one);
        assert_eq!((used.remaining, used.seconds), (0, Some(20)));
        assert_eq!(refused.unwrap_err().code, "rate_limited");
        assert!(limit.admit(other).1.is_ok());
        clock.advance(Duration::from_secs(20));
        assert!(limit.admit(one).1.is_ok());
    }

    #[test]
    fn memory_does_not_grow_with_addresses() {
        let (clock, limit) = limit();
        for number in 0..200_000_u32 {
            let _ = limit.admit(IpAddr::V4(Ipv4Addr::from_bits(number)));
        }
        assert!(limit.limiter.len() <= 65_536);
        clock.advance(Duration::from_mins(2));
        limit.tidy();
        assert_eq!(limit.limiter.len(), 0);
    }
}
