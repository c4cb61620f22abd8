//! What a connection is doing, so that it can be ended when it does nothing, or takes too long over something.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

#[derive(Debug)]
struct State {
    next: u64,
    /// Requests whose answer is not wholly sent, by number, with their beginning.
    under_way: BTreeMap<u64, Instant>,
    idle_since: Instant,
    /// Since when a header has been coming in without its end.
    header_since: Option<Instant>,
    /// Since when the client has read nothing of what waits for it.
    unread_since: Option<Instant>,
}

/// A connection's requests and silences.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    number: u64,
    of: Arc<Activity>,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            next: 0,
            under_way: BTreeMap::new(),
            idle_since: Instant::now(),
            header_since: None,
            unread_since: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.under_way.insert(number, Instant::now());
        UnderWay { number, of: Arc::clone(self) }
    }

    /// RequestLog whether a header is coming in.
    pub(super) fn header_is_coming(&self, coming: bool) {
        note(&mut self.state().header_since, coming);
    }

    /// RequestLog whether the client leaves unread what waits for it.
    pub(super) fn answer_is_unread(&self, unread: bool) {
        note(&mut self.state().unread_since, unread);
    }

    /// How long nothing has been under way.
    pub(super) fn idle_for(&self, now: Instant) -> Option<Duration> {
        let state = self.state();
        let silent = state.under_way.is_empty() && state.header_since.is_none() && state.unread_since.is_none();
        silent.then(|| now.duration_since(state.idle_since))
    }

    /// How long the oldest request has been under way, its answer's sending included.
    pub(super) fn oldest_request(&self, now: Instant) -> Option<Duration> {
        self.state().under_way.values().next().map(|since| now.duration_since(*since))
    }

    /// How long the client has read nothing of what waits for it.
    pub(super) fn unread_for(&self, now: Instant) -> Option<Duration> {
        self.state().unread_since.map(|since| now.duration_since(since))
    }

    /// How long a header has been coming in.
    pub(super) fn header_for(&self, now: Instant) -> Option<Duration> {
        self.state().header_since.map(|since| now.duration_since(since))
    }
}

fn note(since: &mut Option<Instant>, holds: bool) {
    match (holds, &since) {
        (true, None) => *since = Some(Instant::now()),
        (false, Some(_)) => *since = None,
        _ => {}
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.of.state();
        state.under_way.remove(&self.number);
        state.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn idleness_begins_when_the_last_request_ends() {
        let activity = Activity::new();
        let (first, second) = (activity.begin(), activity.begin());
        let later = Instant::now() + MINUTE;
        drop(first);
        assert_eq!(activity.idle_for(later), None);
        assert!(activity.oldest_request(later).unwrap() >= MINUTE);
        drop(second);
        assert!(activity.idle_for(later).unwrap() <= MINUTE, "idle since the end and not since the beginning");
        assert_eq!(activity.oldest_request(later), None);
    }

    #[tokio::test]
    async fn a_header_that_is_coming_is_not_idleness() {
        let activity = Activity::new();
        activity.header_is_coming(true);
        let later = Instant::now() + MINUTE;
        activity.header_is_coming(true);
        assert!(activity.header_for(later).unwrap() >= MINUTE, "more bytes do not begin it anew");
        assert_eq!(activity.idle_for(later), None);
        activity.header_is_coming(false);
        assert_eq!(activity.header_for(later), None);
    }
}
