//! Whether answers could be recorded: a check of readiness.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use crate::domain::{Timestamp, clock::SharedClock};

/// How long a batch that failed makes the gateway not ready. A balancer that sends nothing meanwhile must send something
/// again: only an answer shows that recording works.
const PROBLEM_RETENTION: Duration = Duration::from_secs(10);

/// The failure of the newest batch that failed, until one succeeds.
#[derive(Debug, Clone)]
pub(super) struct RecordingProblem {
    clock: SharedClock,
    last: Arc<RwLock<Option<(Timestamp, String)>>>,
}

impl RecordingProblem {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self { clock, last: Arc::default() }
    }

    /// The failure, while it is recent.
    pub(super) fn recent(&self) -> Option<String> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| self.clock.now().since(*at) < PROBLEM_RETENTION).map(|(_, why)| why.clone())
    }

    pub(super) fn set(&self, why: &str) {
        let last = Some((self.clock.now(), format!("answers are not recorded: {why}")));
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = last;
    }

    pub(super) fn clear(&self) {
        // Read first: almost every batch finds nothing to clear, and readers do not wait for each other.
        if self.last.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            *self.last.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}
