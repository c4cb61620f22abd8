//! When an item is tried again.

use std::time::Duration;

use crate::domain::Entropy;

/// How items are tried, and how long events are kept.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How long to wait before the first try, the second, and so on; after the last it is given up.
    pub schedule: Vec<Duration>,
    /// By how much of a hundred a wait is shortened or lengthened, so that what failed together does not come back together.
    pub jitter_percent: u32,
    /// How long a worker may hold an item.
    pub lease: Duration,
    /// The longest wait a receiver may ask for.
    pub longest_retry_after: Duration,
    /// How long an event is kept.
    pub events_kept: Duration,
}

impl Default for Policy {
    /// 0 s, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h, each a fifth more or less.
    fn default() -> Self {
        let seconds = [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
        Self {
            schedule: seconds.map(Duration::from_secs).to_vec(),
            jitter_percent: 20,
            lease: Duration::from_mins(1),
            longest_retry_after: Duration::from_hours(24),
            events_kept: Duration::from_hours(24 * 90),
        }
    }
}

impl Policy {
    /// How often an item is tried before it is given up.
    pub(super) fn tries(&self) -> i64 {
        i64::try_from(self.schedule.len()).unwrap_or(i64::MAX)
    }

    /// How long to wait before a try, counted from 0; `None` when there is none left. What the receiver asked for is kept
    /// to, within bounds, and never shortened.
    pub(super) fn wait(&self, tries: i64, asked: Option<Duration>, entropy: &dyn Entropy) -> Option<Duration> {
        let planned = usize::try_from(tries).ok().and_then(|nth| self.schedule.get(nth)).copied()?;
        let asked = asked.unwrap_or_default().min(self.longest_retry_after);
        Some(self.jittered(planned, entropy).max(asked))
    }

    fn jittered(&self, wait: Duration, entropy: &dyn Entropy) -> Duration {
        let mut bytes = [0; 4];
        entropy.fill(&mut bytes);
        let spread = self.jitter_percent.min(100) * 10;
        // Out of a thousand, from 1000 - spread to 1000 + spread.
        let share = 1000 - spread + u32::from_le_bytes(bytes) % (2 * spread + 1);
        wait * share / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SeededEntropy;

    #[test]
    fn waits_follow_the_schedule_within_a_fifth_and_end() {
        let (policy, entropy) = (Policy::default(), SeededEntropy::new(7));
        let mut different = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let wait = policy.wait(2, None, &*entropy).unwrap();
            assert!(Duration::from_mins(4) <= wait && wait <= Duration::from_mins(6), "{wait:?}");
            different.insert(wait);
        }
        assert!(different.len() > 50, "spread");
        assert_eq!(policy.wait(0, None, &*entropy), Some(Duration::ZERO));
        assert_eq!(policy.wait(8, None, &*entropy), None);
    }

    #[test]
    fn what_the_receiver_asks_for_is_kept_to_within_bounds() {
        let (policy, entropy) = (Policy::default(), SeededEntropy::new(7));
        let asked = |hours| policy.wait(1, Some(Duration::from_hours(hours)), &*entropy).unwrap();
        assert_eq!(asked(1), Duration::from_hours(1));
        assert_eq!(asked(1_000), Duration::from_hours(24));
        // Less than planned does not shorten the plan.
        assert!(policy.wait(4, Some(Duration::from_secs(1)), &*entropy).unwrap() >= Duration::from_mins(96));
    }
}
