//! Corrections that are due: counted in the background, so that an alert reminds people of them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};

use super::{
    App,
    background::{FailureSeries, every},
};
use crate::{
    domain::{Day, error_chain},
    grading::{CorrectionState, DueScope, GradingError, Rounds},
    store::JobLock,
};

/// How often corrections that are due are counted.
const INTERVAL: Duration = Duration::from_mins(10);
/// The lock that a gateway has while it recomputes results: of several, one does at a time.
const LOCK: &str = "corrections";

/// The corrections that were due when the state was last another one.
#[derive(Debug, Default)]
pub(super) struct CorrectionWatch(Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    state: CorrectionState,
    /// The last days of the corrections.
    due_on: Vec<Day>,
}

impl App {
    /// Counts the corrections that are due, and sets their gauges. Results are recomputed only where a file of facts was imported, or
    /// a result published or corrected, since.
    pub async fn count_due_corrections(&self) -> Result<(), GradingError> {
        // A database that was turned back has decisions and corrections of another time (I9).
        if self.recorder.require_current().is_err() || self.env.require_clock().is_err() {
            return Ok(());
        }
        let rounds = Rounds::new(self.env.clone());
        // Before the results are read: what changes meanwhile is found the next time.
        let state = rounds.correction_state().await?;
        let is_known =
            self.corrections.0.lock().is_ok_and(|seen| seen.as_ref().is_some_and(|seen| seen.state == state));
        if !is_known {
            let lock = JobLock::try_acquire(&self.env.db, LOCK).await;
            let failed = |source| GradingError::Store { step: "taking the lock of corrections", source };
            let Some(lock) = lock.map_err(failed)? else { return Ok(()) };
            let due = rounds.due(self.config.push.correction_days, DueScope::All, &|_, _| {}).await;
            // An error of the release is one of the store, which the next pass meets again.
            let _ = lock.release().await;
            let due_on = due?.into_iter().map(|due| due.due_on).collect();
            if let Ok(mut seen) = self.corrections.0.lock() {
                *seen = Some(Seen { state, due_on });
            }
        }
        // Also where nothing was recomputed: a day may be over since.
        let today = self.env.clock.now().day();
        if let Ok(Some(seen)) = self.corrections.0.lock().as_deref() {
            let overdue = seen.due_on.iter().filter(|day| **day < today).count();
            metrics::gauge!("medcredit_push_due_corrections", "state" => "due").set(float(seen.due_on.len() - overdue));
            metrics::gauge!("medcredit_push_due_corrections", "state" => "overdue").set(float(overdue));
        }
        Ok(())
    }

    /// Starts the task that counts corrections that are due.
    pub(super) fn start_corrections(self: &Arc<Self>, tasks: &mut JoinSet<()>, stopping: &watch::Receiver<bool>) {
        let (app, series) = (self.clone(), Arc::new(FailureSeries::default()));
        tasks.spawn(every(INTERVAL, stopping.clone(), move || {
            let (app, series) = (app.clone(), series.clone());
            async move {
                match app.count_due_corrections().await {
                    Err(error) if series.begins() => {
                        let error = error_chain(&error);
                        tracing::warn!(%error, "corrections that are due could not be counted");
                    }
                    Ok(()) if series.ends() => tracing::info!("corrections that are due are counted again"),
                    _ => {}
                }
            }
        }));
    }
}

fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
