//! The health of the gateway, as a list of named checks.

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

/// The response of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    checks: BTreeMap<&'static str, String>,
}

impl Health {
    /// Makes a list without checks, which is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check, or replaces the one of the same name. It runs at each probe, so it must only read state and never wait.
    /// The monitoring system receives its text: no names and no numbers of persons or institutions.
    pub fn require(&self, name: &'static str, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(check));
    }

    /// Makes the gateway not ready from now on: it finishes active requests and accepts no new ones.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// What keeps the gateway from being ready: checks by name, each with its text.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        checks.iter().filter_map(|(name, check)| check().err().map(|problem| (*name, problem))).collect()
    }

    pub(super) fn readiness(&self) -> Readiness {
        // Cloned, so that no check runs under the lock.
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut results: BTreeMap<_, _> = checks.iter().map(|(name, check)| (*name, check())).collect();
        if self.draining.load(Ordering::SeqCst) {
            results.insert("draining", Err("shutting down".into()));
        }
        Readiness {
            ready: results.values().all(Result::is_ok),
            checks: results
                .into_iter()
                .map(|(name, result)| (name, result.map_or_else(|problem| problem, |()| "ok".into())))
                .collect(),
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("draining", &self.draining).finish_non_exhaustive()
    }
}
