//! The retry schedule of items.

use std::time::Duration;

use crate::domain::Entropy;

/// The retry schedule of items, and the retention of events.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Waits before the first attempt, the second, and so on; after the last attempt an item is given up.
    pub schedule: Vec<Duration>,
    /// The largest random change of a wait, in percent, so that items that failed together are not retried together.
    pub jitter_percent: u32,
    /// How long a worker may hold an item.
    pub lease: Duration,
    /// The longest wait that a receiver may request.
    pub longest_retry_after: Duration,
    /// How long events are kept.
    pub event_retention: Duration,
}

impl Default for Policy {
    /// 0 s, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h, each up to a fifth shorter or longer.
    fn default() -> Self {
        let seconds = [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
        Self {
            schedule: seconds.map(Duration::from_secs).to_vec(),
            jitter_percent: 20,
            lease: Duration::from_mins(1),
            longest_retry_after: Duration::from_hours(24),
            event_retention: Duration::from_hours(24 * 90),
        }
    }
}

impl Policy {
    /// The number of attempts before an item is given up.
    pub(super) fn max_attempts(&self) -> i64 {
        i64::try_from(self.schedule.len()).unwrap_or(i64::MAX)
    }

    /// The wait before an attempt, counted from 0; `None` when no attempt is left. A wait that the receiver requests is
    /// respected up to the limit, and never shortens the schedule.
    pub(super) fn wait(&self, attempt: i64, requested: Option<Duration>, entropy: &dyn Entropy) -> Option<Duration> {
        let planned = usize::try_from(attempt).ok().and_then(|nth| self.schedule.get(nth)).copied()?;
        let requested = requested.unwrap_or_default().min(self.longest_retry_after);
        // The jitter comes before the maximum, so that it never shortens what the receiver asked for.
        Some(self.jittered(planned, entropy).max(requested))
    }

    fn jittered(&self, wait: Duration, entropy: &dyn Entropy) -> Duration {
        let mut bytes = [0; 4];
        entropy.fill(&mut bytes);
        // More than a hundred percent would make waits negative.
        let spread = self.jitter_percent.min(100) * 10;
        // In thousandths, from 1000 - spread to 1000 + spread.
        // The remainder's bias is below one in a million here, and nothing secret depends on it.
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
    fn a_requested_wait_is_respected_up_to_the_limit() {
        let (policy, entropy) = (Policy::default(), SeededEntropy::new(7));
        let requested = |hours| policy.wait(1, Some(Duration::from_hours(hours)), &*entropy).unwrap();
        assert_eq!(requested(1), Duration::from_hours(1));
        assert_eq!(requested(1_000), Duration::from_hours(24));
        // A shorter request does not shorten the schedule.
        assert!(policy.wait(4, Some(Duration::from_secs(1)), &*entropy).unwrap() >= Duration::from_mins(96));
    }
}
