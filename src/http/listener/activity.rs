//! What a connection is doing, so that it can be closed when it is idle or too slow.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

#[derive(Debug)]
struct State {
    next: u64,
    /// When each active request began, by its number. A request is active until its response is sent completely.
    active: BTreeMap<u64, Instant>,
    idle_since: Instant,
    /// Since when a request header has been incomplete.
    header_since: Option<Instant>,
    /// Since when the client has read nothing, although data waits for it.
    unread_since: Option<Instant>,
    /// Whether a response was sent before the body of its request was read to its end.
    body_unread: bool,
}

/// The activity of a connection. Behind a mutex, because the requests of an HTTP/2 connection run in parallel.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

/// Keeps a request active until dropped.
#[derive(Debug)]
pub(super) struct ActiveRequest {
    number: u64,
    activity: Arc<Activity>,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            next: 0,
            active: BTreeMap::new(),
            idle_since: Instant::now(),
            header_since: None,
            unread_since: None,
            body_unread: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Used even if poisoned: a panic in one request must not end the others of the connection.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a request.
    pub(super) fn begin(self: &Arc<Self>) -> ActiveRequest {
        let mut state = self.state();
        let number = state.next;
        // Never reused: the number also orders the requests by age.
        state.next += 1;
        state.active.insert(number, Instant::now());
        ActiveRequest { number, activity: Arc::clone(self) }
    }

    /// Records whether a request header is incomplete.
    pub(super) fn set_header_incomplete(&self, incomplete: bool) {
        set_since(&mut self.state().header_since, incomplete);
    }

    /// Records whether data waits for the client to read it.
    pub(super) fn set_unread(&self, unread: bool) {
        set_since(&mut self.state().unread_since, unread);
    }

    /// Records that a response is sent before the body of its request was read to its end.
    pub(super) fn set_body_unread(&self) {
        self.state().body_unread = true;
    }

    /// Whether the client may still be sending a body that nobody reads.
    pub(super) fn is_body_unread(&self) -> bool {
        self.state().body_unread
    }

    /// How long the connection has been idle; none while it is not.
    pub(super) fn idle_for(&self, now: Instant) -> Option<Duration> {
        let state = self.state();
        let idle = state.active.is_empty() && state.header_since.is_none() && state.unread_since.is_none();
        idle.then(|| now.duration_since(state.idle_since))
    }

    /// How long the oldest request has been active, sending of its response included.
    pub(super) fn oldest_request(&self, now: Instant) -> Option<Duration> {
        // Numbers ascend, so the first is the oldest.
        self.state().active.values().next().map(|since| now.duration_since(*since))
    }

    /// How long the client has read nothing, although data waits for it.
    pub(super) fn unread_for(&self, now: Instant) -> Option<Duration> {
        self.state().unread_since.map(|since| now.duration_since(since))
    }

    /// How long a request header has been incomplete.
    pub(super) fn header_for(&self, now: Instant) -> Option<Duration> {
        self.state().header_since.map(|since| now.duration_since(since))
    }
}

/// Starts or clears a time; one that runs already is not restarted.
fn set_since(since: &mut Option<Instant>, holds: bool) {
    match (holds, &since) {
        (true, None) => *since = Some(Instant::now()),
        (false, Some(_)) => *since = None,
        _ => {}
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.active.remove(&self.number);
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
        assert!(
            activity.idle_for(later).unwrap() <= MINUTE,
            "idle since the end of the request and not since its beginning"
        );
        assert_eq!(activity.oldest_request(later), None);
    }

    #[tokio::test]
    async fn an_incomplete_header_is_not_idleness() {
        let activity = Activity::new();
        activity.set_header_incomplete(true);
        let later = Instant::now() + MINUTE;
        activity.set_header_incomplete(true);
        assert!(activity.header_for(later).unwrap() >= MINUTE, "more bytes do not restart the time");
        assert_eq!(activity.idle_for(later), None);
        activity.set_header_incomplete(false);
        assert_eq!(activity.header_for(later), None);
    }
}
