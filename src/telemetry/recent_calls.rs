//! The calls of the last day by minute, for the overview of administrators. In memory, of this process.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

/// The minutes of a day.
pub const DAY: i64 = 24 * 60;

/// The calls of one minute.
#[derive(Debug, Default)]
struct Minute {
    number: i64,
    answered: u64,
    refused: BTreeMap<&'static str, u64>,
}

/// The calls of the last day. Its memory is bounded: codes are a closed set.
#[derive(Debug, Default)]
pub struct RecentCalls(Mutex<VecDeque<Minute>>);

/// The calls of a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calls {
    pub answered: u64,
    /// Refusals by their code.
    pub refused: BTreeMap<&'static str, u64>,
}

impl Calls {
    /// The number of refusals.
    pub fn all_refused(&self) -> u64 {
        self.refused.values().sum()
    }
}

impl RecentCalls {
    /// Counts a call in a minute, given since the epoch; a refusal has a code.
    pub fn count(&self, minute: i64, code: Option<&'static str>) {
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back adds to the minute that is counted last.
        if minutes.back().is_none_or(|last| last.number < minute) {
            minutes.push_back(Minute { number: minute, ..Minute::default() });
        }
        while minutes.front().is_some_and(|first| first.number <= minute - DAY) {
            minutes.pop_front();
        }
        let Some(last) = minutes.back_mut() else { return };
        match code {
            None => last.answered += 1,
            Some(code) => *last.refused.entry(code).or_default() += 1,
        }
    }

    /// The calls from one minute until before another.
    pub fn between(&self, from: i64, before: i64) -> Calls {
        let minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut calls = Calls::default();
        for minute in minutes.iter().filter(|minute| (from..before).contains(&minute.number)) {
            calls.answered += minute.answered;
            for (code, number) in &minute.refused {
                *calls.refused.entry(code).or_default() += number;
            }
        }
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_counted_and_older_calls_are_dropped() {
        let calls = RecentCalls::default();
        calls.count(10, None);
        calls.count(10, Some("consent_not_found"));
        calls.count(70, None);
        assert_eq!(calls.between(0, 100).answered, 2);
        assert_eq!(calls.between(0, 60).all_refused(), 1);
        calls.count(10 + DAY, Some("consent_not_found"));
        assert_eq!(calls.between(0, 60), Calls::default());
        calls.count(5, None);
        assert_eq!(calls.between(10 + DAY, 11 + DAY).answered, 1);
    }
}
