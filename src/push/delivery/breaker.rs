//! The circuit breaker of a platform: after several failures in succession it gets nothing for a while, then one page as a probe.

use super::Timing;
use crate::domain::Timestamp;

/// The circuit breaker of a platform.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    /// Failures in succession.
    pub(super) failures: u32,
    /// Nothing is delivered before this time.
    pub(super) open_until: Option<Timestamp>,
}

impl Breaker {
    /// How many pages may be under way now, of the most that may be.
    pub(super) fn allows(&self, most: usize, now: Timestamp) -> usize {
        match self.open_until {
            Some(until) if now < until => 0,
            // A probe: whether the platform works again is seen by one page.
            Some(_) => 1,
            None => most,
        }
    }

    /// Notes a failure that has to do with the platform, and not with the page.
    pub(super) fn failed(&mut self, timing: &Timing, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.failures < timing.failures {
            return;
        }
        // Pages that were under way when it opened fail too, and must not lengthen the wait.
        if self.open_until.is_some_and(|until| now < until) {
            self.failures = self.failures.saturating_sub(1);
            return;
        }
        let doubled = self.failures.saturating_sub(timing.failures).min(16);
        let wait = timing.shortest_wait.saturating_mul(1 << doubled).min(timing.longest_wait);
        self.open_until = Some(now.plus(wait));
    }

    /// Notes a success.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TIMING: Timing = Timing {
        lease: Duration::from_mins(1),
        failures: 3,
        shortest_wait: Duration::from_secs(30),
        longest_wait: Duration::from_mins(15),
        receipts: Duration::from_secs(30),
        longest_receipts: Duration::from_hours(1),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_780_000_000 + seconds)
    }

    #[test]
    fn it_opens_after_failures_in_succession_and_closes_with_a_success() {
        let mut breaker = Breaker::default();
        breaker.failed(&TIMING, at(0));
        breaker.failed(&TIMING, at(0));
        assert_eq!(breaker.allows(8, at(0)), 8);
        breaker.succeeded();
        for _ in 0..3 {
            breaker.failed(&TIMING, at(1));
        }
        assert_eq!((breaker.allows(8, at(30)), breaker.allows(8, at(31))), (0, 1), "then a probe");
        breaker.succeeded();
        assert_eq!(breaker.allows(8, at(31)), 8);
    }

    #[test]
    fn failed_probes_double_the_wait_and_pages_under_way_do_not() {
        let mut breaker = Breaker::default();
        for _ in 0..60 {
            breaker.failed(&TIMING, at(0));
        }
        assert_eq!(breaker.open_until, Some(at(30)));
        breaker.failed(&TIMING, at(30));
        assert_eq!(breaker.open_until, Some(at(90)));
        for _ in 0..20 {
            let until = breaker.open_until.unwrap();
            breaker.failed(&TIMING, until);
        }
        let last = breaker.open_until.unwrap();
        breaker.failed(&TIMING, last);
        assert_eq!(breaker.open_until, Some(last.plus(Duration::from_mins(15))));
    }
}
