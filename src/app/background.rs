//! What runs beside the listeners: learning of changes, tidying up after time, sealing.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};

use super::{App, key_set};
use crate::{
    authority::Keyring,
    domain::Failure,
    store::{changes, tokens},
};

/// How often a gateway asks for changes: four times in the second it may be behind (I3).
const POLL: Duration = Duration::from_millis(250);
/// How often the public listener looks whether its files were replaced.
const FILES: Duration = Duration::from_secs(1);
/// How often what was committed is moved into SQLite's file.
const CHECKPOINT: Duration = Duration::from_millis(250);
/// How often it tidies up after time.
const TIDY: Duration = Duration::from_secs(30);

/// How long what has expired is still remembered. A security invariant (I3, K3): longer than clocks of gateways differ.
const FORGETTING: Duration = Duration::from_mins(5);

impl App {
    /// Learns of what other processes changed. While this fails for a second, nobody is answered (I3).
    pub async fn catch_up(&self) -> Result<(), Failure> {
        // Keys before the directory: as long as the keyring cannot be read, the directory is not confirmed either, and a
        // revoked key signs and verifies for no more than the second a gateway may be behind.
        let change = changes::current(&self.env.db).await?;
        if self.keys_at.load(Ordering::SeqCst) != change {
            let keyring = Keyring::load(&self.custody).await.map_err(|error| Failure::internal(error.to_string()))?;
            let keys = key_set(&keyring).map_err(|error| Failure::internal(error.to_string()))?;
            self.keys.store(Arc::new(keys));
            self.key_log.store(Arc::new(keyring.records().to_vec()));
            self.keys_at.store(change, Ordering::SeqCst);
        }
        // Trust before the directory too: nobody is judged by a new epoch and an old trust.
        self.reloader.refresh().await.map_err(|error| Failure::unavailable("state_unknown", error.to_string()))?;
        self.access.catch_up().await?;
        Ok(())
    }

    /// What time alone brings: expiries written down, harmless rows and whole quotas forgotten.
    pub async fn tidy(&self) -> Result<(), Failure> {
        self.limits.tidy();
        if let Some(portal) = &self.portal {
            portal.addresses.tidy();
        }
        let mut tx = self.env.db.begin("app::tidy").await?;
        // Not at once: another gateway's clock may be behind, and there the token is still good.
        let forgotten = tokens::forget_expired(&mut tx, self.env.clock.now().minus(FORGETTING)).await?;
        tx.commit().await?;
        let forgotten = forgotten + self.consents.forget_kept().await?;
        let ended = self.consents.record_expiries().await?;
        let forgotten = forgotten + self.outbox.tidy().await?;
        let forgotten = forgotten + self.imports.tidy(self.config.imports.reports_kept()).await?;
        if ended > 0 || forgotten > 0 {
            tracing::info!(count = ended, rows = forgotten, "tidied up after time");
        }
        Ok(())
    }

    /// Starts what runs beside the listeners, until `stopping` turns true.
    pub fn start_background(self: &Arc<Self>, stopping: &watch::Receiver<bool>) -> JoinSet<()> {
        let until = |mut stopping: watch::Receiver<bool>| async move {
            // An error means the sender is gone, and with it the gateway.
            let _ = stopping.wait_for(|stop| *stop).await;
        };
        let mut tasks = JoinSet::new();
        let app = self.clone();
        tasks.spawn(every(POLL, stopping.clone(), move || {
            let app = app.clone();
            async move {
                let say = |code, reason: &str| tracing::warn!(code, reason, "changes could not be read");
                complain(app.catch_up().await, say);
            }
        }));
        let app = self.clone();
        tasks.spawn(every(TIDY, stopping.clone(), move || {
            let app = app.clone();
            async move {
                let say = |code, reason: &str| tracing::warn!(code, reason, "could not tidy up");
                complain(app.tidy().await, say);
            }
        }));
        let db = self.env.db.clone();
        tasks.spawn(every(CHECKPOINT, stopping.clone(), move || {
            let db = db.clone();
            async move {
                if let Err(error) = db.checkpoint().await {
                    tracing::warn!(%error, "the database's log could not be moved into its file");
                }
            }
        }));
        if let Some(portal) = &self.portal {
            let server = portal.server.clone();
            tasks.spawn(every(FILES, stopping.clone(), move || {
                let server = server.clone();
                async move {
                    server.refresh().await;
                }
            }));
        }
        let (reloader, stop) = (self.reloader.clone(), until(stopping.clone()));
        tasks.spawn(async move { reloader.run(stop).await });
        let (sealer, stop) = (self.sealer.clone(), until(stopping.clone()));
        tasks.spawn(async move { sealer.run(stop).await });
        tasks
    }
}

/// Says in the log what went wrong beside the requests.
fn complain(outcome: Result<(), Failure>, say: impl Fn(&'static str, &str)) {
    if let Err(failure) = outcome {
        say(failure.code, failure.context.as_deref().unwrap_or("-"));
    }
}

async fn every<F, Fut>(period: Duration, mut stopping: watch::Receiver<bool>, work: F)
where
    F: Fn() -> Fut + Send,
    Fut: Future<Output = ()> + Send,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        work().await;
    }
}
