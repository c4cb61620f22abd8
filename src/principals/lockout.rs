//! How long a name is locked after attempts that failed.

use std::time::Duration;

/// The attempts that may fail before a name is locked.
const FREE: i64 = 5;
/// The lock after the last of them; it doubles with each further one.
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(1);
/// Failures are forgotten when none was added for so long.
pub(super) const REMEMBERED: Duration = Duration::from_hours(24);
/// The most names that failures are counted for. An attempt costs a password's hash, so that this many take minutes; beyond it
/// names that no operator has are not locked, so that nobody can fill the table.
pub(super) const MOST_NAMES: i64 = 10_000;

/// How long a name is locked after its so many failures.
pub(super) fn lock(failures: i64) -> Option<Duration> {
    // Six doublings reach the hour.
    let doublings = u32::try_from((failures - FREE).min(6)).ok()?;
    Some((SHORTEST * 2u32.pow(doublings)).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_begins_with_a_minute_and_doubles_to_an_hour() {
        let minutes = |failures| lock(failures).map(|lock| lock.as_secs() / 60);
        assert_eq!([0, 1, 4].map(minutes), [None; 3]);
        assert_eq!([5, 6, 7, 8, 9, 10, 11, 12, 1000].map(minutes), [1, 2, 4, 8, 16, 32, 60, 60, 60].map(Some));
        assert_eq!(minutes(i64::MAX), Some(60));
    }
}
