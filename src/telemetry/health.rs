//! Whether the gateway can do its work now, as a list of named checks.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Serialize;

type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The checks of a running gateway. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub struct Health {
    checks: Arc<RwLock<BTreeMap<&'static str, Check>>>,
    draining: Arc<AtomicBool>,
}

/// What `/readyz` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    checks: BTreeMap<&'static str, String>,
}

impl Health {
    /// No checks: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check, or replaces the one of the same name. It is asked at each probe, so it looks at state that others
    /// keep and does not wait. Its text is seen by the monitoring system: no names, no numbers of anybody.
    pub fn require(&self, name: &'static str, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(check));
    }

    /// From now on not ready: the process finishes what it has begun and takes nothing new.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    pub(super) fn readiness(&self) -> Readiness {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut answers: BTreeMap<_, _> = checks.iter().map(|(name, check)| (*name, check())).collect();
        if self.draining.load(Ordering::SeqCst) {
            answers.insert("draining", Err("shutting down".into()));
        }
        Readiness {
            ready: answers.values().all(Result::is_ok),
            checks: answers
                .into_iter()
                .map(|(name, answer)| (name, answer.map_or_else(|problem| problem, |()| "ok".into())))
                .collect(),
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("draining", &self.draining).finish_non_exhaustive()
    }
}
