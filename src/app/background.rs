//! The background tasks: polling for changes, housekeeping, sealing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};

use super::{
    App,
    keys::key_set,
    policies::{answer_journal, requirements},
};
use crate::{
    authority::Keyring,
    domain::{Actor, Failure, error_chain},
    ledger::{LedgerError, report_lost_answers},
    store::{changes, tokens},
};

/// How often changes of other processes are polled: four times in the second that a gateway may be behind (I3).
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How often the portal's certificate files are checked for replacement.
const FILES_INTERVAL: Duration = Duration::from_secs(1);
/// How often SQLite's write-ahead log is moved into the database file.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(250);
/// How often the database is asked whether it keeps what it commits.
const DURABILITY_INTERVAL: Duration = Duration::from_secs(2);
/// How often this gateway's clock is written to the store for the others.
const CLOCK_INTERVAL: Duration = Duration::from_secs(2);
/// How often gauges are set that no request sets.
const OBSERVE_INTERVAL: Duration = Duration::from_secs(10);
/// How often lost answers are looked for, until it was possible.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// How often expired rows and idle limits are removed.
const TIDY_INTERVAL: Duration = Duration::from_secs(30);

/// How long expired tokens are still stored. A security invariant (I3, K3): longer than the clocks of gateways differ.
const EXPIRED_TOKEN_RETENTION: Duration = Duration::from_mins(5);

impl App {
    /// Applies changes that other processes made. Once this has failed for a second, all requests are refused (I3).
    pub async fn catch_up(&self) -> Result<(), Failure> {
        // First, and an error ends the poll: state that is confirmed as current was confirmed by a clock that was compared.
        self.clock_monitor.compare().await?;
        // The history before the keys: the key of each checkpoint was stored before it signed.
        let sighting = self.history.read().await?;
        // Keys before the client directory: while the keyring cannot be read, the directory is not confirmed either, so a
        // revoked key signs and verifies for no longer than the second that a gateway may be behind.
        // The key-encryption keys before all: a change may be that the store is sealed under a new one.
        self.key_file.refresh(&self.custody).await;
        let change = changes::current(&self.env.db).await?;
        // Pairs with the store below: a reader that sees the number also sees the keys stored before it.
        if self.keys_at.load(Ordering::SeqCst) != change {
            let keyring = Keyring::load(&self.custody).await.map_err(|error| Failure::internal(error.to_string()))?;
            let keys = key_set(&keyring).map_err(|error| Failure::internal(error.to_string()))?;
            self.keys.store(Arc::new(keys));
            self.key_log.store(Arc::new(keyring.records().to_vec()));
            // Last, and as it was before the keyring was read: a change in between is read again, never missed.
            self.keys_at.store(change, Ordering::SeqCst);
        }
        self.history.judge(&sighting).await?;
        // Trust before the directory too: a new epoch must never meet the trust from before it.
        self.reloader.refresh().await.map_err(|error| Failure::unavailable("state_unknown", error.to_string()))?;
        self.access.catch_up().await?;
        Ok(())
    }

    /// Housekeeping: records expiries, and removes expired rows and limits with a full quota. In the database only while the
    /// history is current and the clock is to be relied on, since none of it can be undone (I9, I10).
    pub async fn tidy(&self) -> Result<(), Failure> {
        // First, and without the database: it bounds memory even while the database fails.
        self.limits.tidy();
        if let Some(portal) = &self.portal {
            portal.addresses.tidy();
            portal.sites.tidy();
        }
        if let Some(console) = &self.console {
            console.addresses.tidy();
        }
        if self.recorder.require_current().is_err() {
            // What a database that was turned back expires or deletes could be needed to recover (I9).
            return Ok(());
        }
        let until = match self.clock_monitor.settled().await {
            Ok(until) => until,
            // Reported when the comparison found it; nothing failed here.
            Err(failure) if failure.code == "clock_untrusted" => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let mut tx = self.env.db.begin("app::tidy").await?;
        // Not immediately: on a gateway whose clock is behind, the token is still valid.
        let cutoff = until.minus(EXPIRED_TOKEN_RETENTION);
        let removed = tokens::delete_expired(&mut tx, cutoff).await?;
        // Committed alone: what follows has transactions of its own, and a failure there loses nothing of this.
        tx.commit().await?;
        let removed = removed + self.consents.delete_expired_responses().await?;
        let expired = self.consents.record_expiries_until(until).await?;
        let removed = removed + self.outbox.purge().await?;
        let removed = removed + self.imports.delete_expired_reports(self.config.imports.reports_kept()).await?;
        let reported = self.key_file.report(&self.custody).await;
        reported.map_err(|error| Failure::internal(error_chain(&error)))?;
        self.clock_monitor.delete_old_readings(until).await?;
        if expired > 0 || removed > 0 {
            tracing::info!(count = expired, rows = removed, "housekeeping done");
        }
        Ok(())
    }

    /// Looks once, as soon as the history is current, for the answers that this host gave in earlier epochs, and records those
    /// that a recovery has lost.
    pub(super) async fn report_lost_answers(&self) -> Result<(), LedgerError> {
        let is_current = self.recorder.require_current().is_ok();
        if !is_current || self.lost_answers_reported.load(Ordering::SeqCst) {
            return Ok(());
        }
        report_lost_answers(&self.env, &answer_journal(&self.config), &Actor::system(), None).await?;
        self.lost_answers_reported.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Starts the background tasks. They run until `stopping` is true.
    pub fn start_background(self: &Arc<Self>, stopping: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let (app, series) = (self.clone(), Arc::new(FailureSeries::default()));
        tasks.spawn(every(POLL_INTERVAL, stopping.clone(), move || {
            let (app, series) = (app.clone(), series.clone());
            async move {
                let outcome = app.catch_up().await;
                if outcome.is_err() {
                    app.history.history().missed();
                }
                match outcome {
                    Err(failure) if series.begins() => {
                        tracing::warn!(code = failure.code, reason = context(&failure), "changes could not be read");
                    }
                    Ok(()) if series.ends() => tracing::info!("changes are read again"),
                    _ => {}
                }
            }
        }));
        let app = self.clone();
        tasks.spawn(every(TIDY_INTERVAL, stopping.clone(), move || {
            let app = app.clone();
            async move {
                if let Err(failure) = app.tidy().await {
                    tracing::warn!(code = failure.code, reason = context(&failure), "housekeeping failed");
                }
            }
        }));
        self.start_clock(&mut tasks, stopping);
        self.start_report(&mut tasks, stopping);
        let (db, series) = (self.env.db.clone(), Arc::new(FailureSeries::default()));
        tasks.spawn(every(CHECKPOINT_INTERVAL, stopping.clone(), move || {
            let (db, series) = (db.clone(), series.clone());
            async move {
                match db.checkpoint().await {
                    Err(error) if series.begins() => {
                        let error = error_chain(&error);
                        tracing::warn!(%error, "the database's log could not be moved into its file");
                    }
                    Ok(()) if series.ends() => tracing::info!("the database's log is moved into its file again"),
                    _ => {}
                }
            }
        }));
        self.start_observation(&mut tasks, stopping);
        self.start_push(&mut tasks, stopping);
        let servers = [self.portal.as_ref().map(|own| &own.server), self.console.as_ref().map(|own| &own.server)];
        for server in servers.into_iter().flatten() {
            let server = server.clone();
            tasks.spawn(every(FILES_INTERVAL, stopping.clone(), move || {
                let server = server.clone();
                async move {
                    server.refresh().await;
                }
            }));
        }
        let (reloader, stop) = (self.reloader.clone(), stopped(stopping.clone()));
        tasks.spawn(async move { reloader.run(stop).await });
        let (sealer, stop) = (self.sealer.clone(), stopped(stopping.clone()));
        tasks.spawn(async move { sealer.run(stop).await });
        tasks
    }
}

impl App {
    /// Reports the answers that were lost, where the history was not current when the gateway started.
    fn start_report(self: &Arc<Self>, tasks: &mut JoinSet<()>, stopping: &watch::Receiver<bool>) {
        let app = self.clone();
        tasks.spawn(every(REPORT_INTERVAL, stopping.clone(), move || {
            let app = app.clone();
            async move {
                if let Err(error) = app.report_lost_answers().await {
                    tracing::warn!(error = %error_chain(&error), "lost answers could not be reported");
                }
            }
        }));
    }

    /// Writes the clock's reading for the other gateways.
    fn start_clock(self: &Arc<Self>, tasks: &mut JoinSet<()>, stopping: &watch::Receiver<bool>) {
        let (app, series) = (self.clone(), Arc::new(FailureSeries::default()));
        tasks.spawn(every(CLOCK_INTERVAL, stopping.clone(), move || {
            let (app, series) = (app.clone(), series.clone());
            async move {
                match app.clock_monitor.publish().await {
                    Err(error) if series.begins() => {
                        let error = error_chain(&error);
                        tracing::warn!(%error, "the clock's reading could not be written for the other gateways");
                    }
                    Ok(()) if series.ends() => tracing::info!("the clock's reading is written again"),
                    _ => {}
                }
            }
        }));
    }

    /// Checks whether the database keeps what it commits, and sets the gauges that no request sets.
    fn start_observation(self: &Arc<Self>, tasks: &mut JoinSet<()>, stopping: &watch::Receiver<bool>) {
        let app = self.clone();
        tasks.spawn(every(DURABILITY_INTERVAL, stopping.clone(), move || {
            let app = app.clone();
            async move {
                app.durability.check(&app.env.db, requirements(&app.config)).await;
            }
        }));
        let app = self.clone();
        tasks.spawn(every(OBSERVE_INTERVAL, stopping.clone(), move || {
            let app = app.clone();
            async move {
                // Not logged: a database that does not answer is reported by the polls.
                let _ = app.observe().await;
            }
        }));
    }
}

/// Whether the last run of a task failed. Tasks run four times a second: a disk that is full for a night is worth two lines.
#[derive(Debug, Default)]
pub(super) struct FailureSeries(AtomicBool);

impl FailureSeries {
    /// Notes a failure. Whether it is the first one.
    pub(super) fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }

    /// Notes a success. Whether it is the first one after failures.
    pub(super) fn ends(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

/// Resolves when the sender says stop.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, and the gateway with it.
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn context(failure: &Failure) -> &str {
    failure.context.as_deref().unwrap_or("-")
}

/// Does some work periodically. A late tick delays the following ones, so that slow work never piles up.
pub(super) async fn every<F, Fut>(period: Duration, mut stopping: watch::Receiver<bool>, work: F)
where
    F: Fn() -> Fut + Send,
    Fut: Future<Output = ()> + Send,
{
    let mut ticks = tokio::time::interval(period);
    // Delay and not burst: after a stall, one poll suffices to catch up.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // When both arms are ready a tick may win; the stop is then seen after that round.
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        // Outside the `select!`: work that has begun is finished, also when the gateway stops.
        work().await;
    }
}
