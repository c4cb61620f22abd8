//! The comparison of a clock with the times in the store and with its own past. Pure.

use std::{fmt, time::Duration};

use crate::domain::Timestamp;

/// By how much clocks may differ.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The largest difference between two clocks.
    pub max_offset: Duration,
    /// The longest time without any gateway that is believed. A clock that shows more has to be accepted by an operator.
    pub max_downtime: Duration,
}

/// A reading of this gateway's clock, with what was read from the store shortly before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation {
    pub(super) now: Timestamp,
    /// How far `now` is ahead of monotonic time, in microseconds.
    pub(super) offset: i64,
    /// How long the reading took: the other times were read up to this long before `now`.
    pub(super) took: Duration,
    /// What the database server's clock showed. SQLite has none.
    pub(super) database: Option<Timestamp>,
    /// When the newest checkpoint was sealed.
    pub(super) sealed: Option<Timestamp>,
    /// The latest time that the store has seen.
    pub(super) last_seen: Option<Timestamp>,
}

/// With what a clock disagrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disagreement {
    /// The database server's clock.
    Database(Timestamp),
    /// A seal in the future.
    Sealed(Timestamp),
    /// A reading of a gateway in the future, or the time that an operator accepted.
    LastSeen(Timestamp),
    /// The time that has passed in this process: the clock should show this.
    Passed(Timestamp),
    /// The last reading of any gateway is longer ago than is believed.
    Downtime(Timestamp),
    /// The clock of another gateway.
    Gateway(i64, Timestamp),
}

impl Disagreement {
    /// The sentence for the operator, with both readings and what to do.
    pub(super) fn explain(self, now: Timestamp) -> String {
        format!("this gateway's clock shows {now}, and {self}")
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(at) => write!(f, "the database server's shows {at}: set both, and keep them by NTP"),
            Self::Sealed(at) => {
                write!(f, "the ledger was sealed at {at}: set the clock; if it is right, run `medcredit clock accept`")
            }
            Self::LastSeen(at) => {
                write!(f, "a gateway's showed {at} before: set the clock; if it is right, run `medcredit clock accept`")
            }
            Self::Passed(at) => write!(
                f,
                "by the time that has passed since it agreed it should show {at}: set the clock; if it is right, run \
                 `medcredit clock accept`"
            ),
            Self::Downtime(at) => write!(
                f,
                "the last reading of any gateway was {at}, longer ago than `[clock] max_downtime_hours`: if the clock is \
                 right, run `medcredit clock accept`"
            ),
            Self::Gateway(number, at) => {
                write!(f, "that of gateway {number} on the same database shows {at}: set both, and keep them by NTP")
            }
        }
    }
}

/// How far a time, read during the last `took`, is from a clock that shows `now`.
pub(super) fn distance(now: Timestamp, took: Duration, theirs: Timestamp) -> Duration {
    theirs.since(now).max(now.minus(took).since(theirs))
}

/// Whether a clock has been set since it agreed at the offset `anchor`.
pub(super) fn was_set(offset: i64, anchor: i64, max_offset: Duration) -> bool {
    u128::from(offset.saturating_sub(anchor).unsigned_abs()) > max_offset.as_micros()
}

/// Judges a clock that agreed before at the offset `anchor`, if it ever did. Returns the offset at which it agrees from now on.
pub(super) fn judge(seen: &Observation, anchor: Option<i64>, bounds: Bounds) -> Result<i64, Disagreement> {
    if let Some(theirs) = seen.database
        && distance(seen.now, seen.took, theirs) > bounds.max_offset
    {
        return Err(Disagreement::Database(theirs));
    }
    let latest = seen.now.plus(bounds.max_offset);
    match (anchor, seen.database) {
        // What the store has seen since then is of gateways that are compared one by one (`peers.rs`).
        (Some(anchor), database) if !was_set(seen.offset, anchor, bounds.max_offset) => {
            not_later(seen.sealed, latest).map_err(Disagreement::Sealed)?;
            // Beside the database's clock both may be corrected little by little. Alone, a clock is held to where it began.
            Ok(if database.is_some() { seen.offset } else { anchor })
        }
        (Some(anchor), None) => Err(Disagreement::Passed(seen.now.moved_by(anchor.saturating_sub(seen.offset)))),
        // At start; or this machine stood still, or both clocks were set.
        (None, _) | (Some(_), Some(_)) => {
            not_later(seen.sealed, latest).map_err(Disagreement::Sealed)?;
            not_later(seen.last_seen, latest).map_err(Disagreement::LastSeen)?;
            match seen.last_seen {
                Some(before) if seen.now > before.plus(bounds.max_downtime) => Err(Disagreement::Downtime(before)),
                _ => Ok(seen.offset),
            }
        }
    }
}

fn not_later(at: Option<Timestamp>, latest: Timestamp) -> Result<(), Timestamp> {
    at.filter(|at| *at > latest).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { max_offset: Duration::from_secs(5), max_downtime: Duration::from_hours(72) };
    const NOON: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;

    fn at(moved: i64) -> Observation {
        let now = NOON.moved_by(moved);
        let (database, sealed, last_seen) = (None, None, None);
        Observation { now, offset: moved, took: Duration::from_millis(10), database, sealed, last_seen }
    }

    #[test]
    fn a_clock_alone_is_held_to_the_time_that_passes() {
        assert_eq!(judge(&at(0), None, BOUNDS), Ok(0));
        for moved in [0, 5_000_000, -5_000_000] {
            assert_eq!(judge(&at(moved), Some(0), BOUNDS), Ok(0), "it does not wander by steps within the bound");
        }
        for moved in [5_000_001, -10 * MINUTE, 2 * HOUR, 130 * 24 * HOUR] {
            assert_eq!(judge(&at(moved), Some(0), BOUNDS), Err(Disagreement::Passed(NOON)), "{moved}");
        }
    }

    #[test]
    fn a_clock_is_never_behind_what_the_store_has_seen() {
        let behind = |sealed, last_seen| Observation { sealed, last_seen, ..at(-10 * MINUTE) };
        for anchor in [None, Some(-10 * MINUTE)] {
            let sealed = judge(&behind(Some(NOON), None), anchor, BOUNDS);
            assert_eq!(sealed, Err(Disagreement::Sealed(NOON)));
        }
        assert_eq!(judge(&behind(None, Some(NOON)), None, BOUNDS), Err(Disagreement::LastSeen(NOON)));
        // A gateway that was running is not at fault because another now writes a later time.
        assert_eq!(judge(&behind(None, Some(NOON)), Some(-10 * MINUTE), BOUNDS), Ok(-10 * MINUTE));
    }

    #[test]
    fn only_a_short_downtime_is_believed() {
        let after = |moved| Observation { last_seen: Some(NOON), ..at(moved) };
        assert_eq!(judge(&after(72 * HOUR), None, BOUNDS), Ok(72 * HOUR));
        for ahead in [72 * HOUR + 1, 40 * 24 * HOUR, 130 * 24 * HOUR] {
            assert_eq!(judge(&after(ahead), None, BOUNDS), Err(Disagreement::Downtime(NOON)));
            // Also where the database's clock is on the same machine, and was set with it.
            let both = Observation { database: Some(NOON.moved_by(ahead)), ..after(ahead) };
            assert_eq!(judge(&both, Some(0), BOUNDS), Err(Disagreement::Downtime(NOON)));
        }
        let running = Observation { offset: 0, ..after(100 * HOUR) };
        assert_eq!(judge(&running, Some(0), BOUNDS), Ok(0), "time passes while nobody else writes");
    }

    #[test]
    fn the_databases_clock_decides() {
        let beside = |database| Observation { database: Some(NOON.moved_by(database)), ..at(0) };
        assert_eq!(judge(&beside(5_000_000), None, BOUNDS), Ok(0));
        assert_eq!(judge(&beside(-5_010_000), None, BOUNDS), Ok(0), "it was read ten milliseconds before");
        for wrong in [5_000_001, -5_010_001, 2 * HOUR, -10 * MINUTE] {
            let theirs = NOON.moved_by(wrong);
            assert_eq!(judge(&beside(wrong), Some(0), BOUNDS), Err(Disagreement::Database(theirs)));
        }
        // A machine that stood still for an hour agrees again without a restart.
        let resumed = Observation { database: Some(NOON.moved_by(HOUR)), last_seen: Some(NOON), ..at(HOUR) };
        assert_eq!(judge(&resumed, Some(0), BOUNDS), Ok(HOUR));
    }

    #[test]
    fn a_disagreement_names_both_readings() {
        let text = Disagreement::Database(NOON).explain(NOON.moved_by(HOUR));
        assert!(text.contains("2027-01-15T08:00:00Z") && text.contains("2027-01-15T09:00:00Z"), "{text}");
    }
}
