//! Whether the wall clock may be relied on (I10, docs/CLOCKS.md).

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;

use super::{Clock, Failure};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    /// Nobody compares the clock in this process, as in a command.
    #[default]
    Unchecked,
    /// It agreed with the other clocks when it was this far ahead of monotonic time, in microseconds.
    Agrees { offset: i64, bound: i64 },
    /// It disagrees, with the readings.
    Disagrees(String),
}

/// The result of the last comparison of this gateway's clock with others. Cheap to clone; clones share it.
///
/// The comparison sets it; all that would rely on the time of day look at it first.
#[derive(Debug, Clone, Default)]
pub struct ClockTrust(Arc<ArcSwap<State>>);

impl ClockTrust {
    /// Fails while the clock is not to be relied on, with the reason. It waits for nothing: every data request calls it.
    ///
    /// A clock that was set since the last comparison is noticed here, because it has moved against monotonic time.
    pub fn check(&self, clock: &dyn Clock) -> Result<(), String> {
        match &**self.0.load() {
            State::Unchecked => Ok(()),
            State::Agrees { offset, bound } => {
                let moved = offset_of(clock).saturating_sub(*offset);
                if moved.saturating_abs() <= *bound {
                    return Ok(());
                }
                let (now, expected) = (clock.now(), clock.now().moved_by(moved.saturating_neg()));
                Err(format!("the clock shows {now}, and should show {expected}: it was set since it was last compared"))
            }
            State::Disagrees(reason) => Err(reason.clone()),
        }
    }

    /// Refuses with `clock_untrusted` while the clock is not to be relied on.
    pub fn require(&self, clock: &dyn Clock) -> Result<(), Failure> {
        self.check(clock).map_err(|reason| Failure::unavailable("clock_untrusted", reason))
    }

    /// Records that the clock agreed when its offset to monotonic time was `offset`.
    pub fn agrees(&self, offset: i64, bound: Duration) {
        self.set(State::Agrees { offset, bound: micros(bound) });
    }

    /// Records that the clock disagrees.
    pub fn disagrees(&self, reason: String) {
        self.set(State::Disagrees(reason));
    }

    /// Whether the last comparison found a disagreement.
    pub fn is_disagreed(&self) -> bool {
        matches!(**self.0.load(), State::Disagrees(_))
    }

    fn set(&self, state: State) {
        // Most comparisons change nothing: nothing is allocated then, four times a second.
        if **self.0.load() != state {
            self.0.store(Arc::new(state));
        }
    }
}

/// How far a clock's time of day is ahead of its monotonic time, in microseconds. It changes only when the clock is set.
pub fn offset_of(clock: &dyn Clock) -> i64 {
    clock.now().micros().saturating_sub(micros(clock.monotonic()))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ManualClock, Timestamp};

    #[test]
    fn a_clock_that_is_set_is_noticed_without_another_comparison() {
        let clock = ManualClock::new(Timestamp::from_seconds(1_800_000_000));
        let trust = ClockTrust::default();
        clock.set(Timestamp::from_seconds(1_700_000_000));
        assert!(trust.require(&*clock).is_ok(), "nobody compares it");
        trust.agrees(offset_of(&*clock), Duration::from_secs(5));
        clock.advance(Duration::from_hours(10_000));
        assert!(trust.require(&*clock).is_ok(), "time passes");
        let right = clock.now();
        clock.set(right.plus(Duration::from_secs(5)));
        assert!(trust.require(&*clock).is_ok(), "within the bound");
        for wrong in [right.plus(Duration::from_micros(5_000_001)), right.minus(Duration::from_micros(5_000_001))] {
            clock.set(wrong);
            let refused = trust.require(&*clock).unwrap_err();
            assert_eq!(refused.code, "clock_untrusted");
            let reason = refused.context.unwrap();
            assert!(reason.contains(&wrong.to_string()) && reason.contains(&right.to_string()), "{reason}");
        }
        clock.set(right);
        assert!(trust.require(&*clock).is_ok());
        trust.disagrees("another clock shows noon".into());
        assert_eq!(trust.check(&*clock), Err("another clock shows noon".into()));
    }
}
