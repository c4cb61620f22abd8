//! The order of the entries, which shows whose clock was wrong.

use std::collections::BTreeMap;

use crate::domain::{Day, Timestamp};

/// The order in which entries were read, which is the order in which they were committed.
#[derive(Debug, Default)]
pub(super) struct ReadOrder {
    /// Number of entries that were read, and the position of the last one.
    pub(super) position: u64,
    /// The position of the last entry of each day.
    last_of_day: BTreeMap<Day, u64>,
}

impl ReadOrder {
    /// Adds the next entry.
    pub(super) fn add(&mut self, at: Timestamp) {
        self.position += 1;
        self.last_of_day.insert(at.day(), self.position);
    }

    /// Whether a later entry is of a day more than one before that of the entry at a position, whose clock was wrong then: no
    /// two clocks that agree are a day apart (I10).
    pub(super) fn gives_up(&self, day: Day, position: u64) -> bool {
        let mut earlier = self.last_of_day.iter().take_while(|(entered, _)| entered.plus_days(1) < day);
        earlier.any(|(_, last)| *last > position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_given_up_by_a_later_entry_of_a_much_earlier_one() {
        let (mut order, noon) = (ReadOrder::default(), Timestamp::from_seconds(1_800_000_000));
        let day = |days: i64| noon.moved_by(days * 86_400_000_000);
        for days in [0, 3, 2, 1] {
            order.add(day(days));
        }
        assert!(order.gives_up(day(3).day(), 2), "an entry of the first day follows it");
        assert!(!order.gives_up(day(2).day(), 3), "a day apart is no fault");
        assert!(!order.gives_up(day(3).day(), 4), "nothing follows");
        assert!(!order.gives_up(day(0).day(), 1));
    }
}
