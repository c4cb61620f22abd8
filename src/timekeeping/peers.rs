//! The clocks of other gateways, by the readings that they write to the store.

use std::{collections::HashMap, time::Duration};

use super::judge::{Disagreement, distance};
use crate::{
    domain::Timestamp,
    store::clocks::{ACCEPTED, ClockRow},
};

/// For how long a reading counts after it changed: five times as long as a gateway takes to write the next.
const LIVE: Duration = Duration::from_secs(10);

/// When a reading was first seen, in this gateway's monotonic time: its own time of day may be set afterwards.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Duration,
    /// It was made at most this long before.
    within: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Peer {
    reading: Timestamp,
    /// When it was first seen; none for a reading from before this gateway started, whose age is unknown.
    seen: Option<Seen>,
    consistent: bool,
}

/// Other gateways that write readings.
#[derive(Debug, Default)]
pub(super) struct Peers {
    by_number: HashMap<i64, Peer>,
    /// When the readings were last looked at, in monotonic time.
    looked_at: Option<Duration>,
}

impl Peers {
    /// Notes the present readings. One that has changed was made since they were last looked at.
    pub(super) fn look(&mut self, rows: &[ClockRow], own: Option<i64>, monotonic: Duration) {
        let since = self.looked_at.map(|before| monotonic.saturating_sub(before));
        self.looked_at = Some(monotonic);
        let others = rows.iter().filter(|row| row.gateway != ACCEPTED && Some(row.gateway) != own);
        let mut by_number = HashMap::new();
        for row in others {
            let (reading, consistent) = (Timestamp::from_micros(row.reading_at), row.consistent == 1);
            let seen = match (self.by_number.get(&row.gateway), since) {
                (Some(peer), _) if peer.reading == reading => peer.seen,
                // New or changed since the last look, so made during it.
                (_, Some(since)) => Some(Seen { at: monotonic, within: since }),
                (_, None) => None,
            };
            by_number.insert(row.gateway, Peer { reading, seen, consistent });
        }
        self.by_number = by_number;
    }

    /// A gateway that is running and whose clock differs from one that is `offset` microseconds ahead of monotonic time. With `consistent` only one that finds no fault with its own: a
    /// gateway that disagrees with the database's clock, or with its own past, is no witness against others.
    pub(super) fn dissenter(
        &self,
        consistent: bool,
        max_offset: Duration,
        (offset, monotonic): (i64, Duration),
    ) -> Option<Disagreement> {
        let differs = |peer: &Peer| {
            let differs = |seen: Seen| {
                // By the clock as it is now: it may have been set since, and be right again.
                let now = Timestamp::from_micros(offset).plus(seen.at);
                monotonic.saturating_sub(seen.at) <= LIVE && distance(now, seen.within, peer.reading) > max_offset
            };
            (peer.consistent || !consistent) && peer.seen.is_some_and(differs)
        };
        let mut found: Vec<_> = self.by_number.iter().filter(|(_, peer)| differs(peer)).collect();
        found.sort_by_key(|(number, _)| **number);
        found.first().map(|(number, peer)| Disagreement::Gateway(**number, peer.reading))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const BOUND: Duration = Duration::from_secs(5);

    fn row(gateway: i64, seconds: i64, consistent: bool) -> ClockRow {
        ClockRow { gateway, reading_at: NOON.moved_by(seconds * 1_000_000).micros(), consistent: consistent.into() }
    }

    /// The number of the gateway that differs, after looks in which `seconds` pass together with this gateway's clock.
    fn dissenter(looks: &[(u64, &[ClockRow])], consistent: bool) -> Option<i64> {
        let (mut peers, mut last) = (Peers::default(), Duration::ZERO);
        for (at, rows) in looks {
            last = Duration::from_secs(*at);
            peers.look(rows, Some(1), last);
        }
        peers.dissenter(consistent, BOUND, (NOON.micros(), last)).map(|found| match found {
            Disagreement::Gateway(number, _) => number,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn a_running_gateway_that_differs_is_found() {
        let before: &[ClockRow] = &[row(0, 0, true), row(1, 0, true), row(2, 0, true), row(3, 0, true)];
        assert_eq!(dissenter(&[(0, before), (2, &[row(2, 2, true), row(3, 7202, true)])], true), Some(3));
        assert_eq!(dissenter(&[(0, before), (2, &[row(2, 2, true), row(3, -598, true)])], true), Some(3));
        assert_eq!(
            dissenter(&[(0, before), (2, &[row(2, 7, true), row(3, -5, true)])], true),
            None,
            "within the bound"
        );
        // The own row and the accepted time are nobody's clock.
        assert_eq!(dissenter(&[(0, before), (2, &[row(0, 9999, true), row(1, 9999, true)])], true), None);
    }

    #[test]
    fn a_gateway_that_knows_itself_to_be_wrong_is_no_witness() {
        let looks: &[(u64, &[ClockRow])] = &[(0, &[row(2, 0, true)]), (2, &[row(2, 7202, false)])];
        assert_eq!(dissenter(looks, true), None);
        assert_eq!(dissenter(looks, false), Some(2), "and still a reason to delete nothing");
    }

    #[test]
    fn a_clock_that_was_set_back_agrees_immediately() {
        let mut peers = Peers::default();
        let at = Duration::from_secs(2);
        peers.look(&[row(2, 0, true)], Some(1), Duration::ZERO);
        peers.look(&[row(2, 2, true)], Some(1), at);
        let ahead = NOON.micros() + 7_200_000_000;
        assert!(peers.dissenter(true, BOUND, (ahead, at)).is_some(), "seen by a clock that was wrong");
        assert!(peers.dissenter(true, BOUND, (NOON.micros(), at)).is_none());
    }

    #[test]
    fn a_gateway_that_stopped_does_not_count() {
        let (before, wrong) = ([row(2, 0, true)], [row(2, 7202, true)]);
        let looks: &[(u64, &[ClockRow])] = &[(0, &before), (2, &wrong), (12, &wrong)];
        assert_eq!(dissenter(looks, true), Some(2), "for ten seconds");
        let later: &[(u64, &[ClockRow])] = &[(0, &before), (2, &wrong), (13, &wrong)];
        assert_eq!(dissenter(later, true), None);
        let started: &[(u64, &[ClockRow])] = &[(0, &wrong), (1, &wrong)];
        assert_eq!(dissenter(started, true), None, "of a reading from before the start the age is unknown");
    }
}
