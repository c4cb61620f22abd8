//! The health checks that readiness depends on.

use super::App;
use crate::{ledger::HistoryState, telemetry::Health};

impl App {
    /// Fails where the ledger can be compared with nothing outside the database: such a gateway is not to be started.
    pub fn require_known_history(&self) -> Result<(), HistoryState> {
        let state = self.history.history().state();
        if state.is_known() { Ok(()) } else { Err(HistoryState::clone(&state)) }
    }

    /// Registers the gateway's checks. It is not ready while it may have missed changes, while its clock is not to be relied
    /// on, while the ledger is behind the newest checkpoint outside the database, while the database may lose what it
    /// commits, while answers could not be recorded, or while it cannot seal.
    pub fn report_health(&self, health: &Health) {
        let access = self.access.clone();
        health
            .require("state", move || access.is_current().map_err(|failure| failure.context.unwrap_or(failure.public)));
        let (trust, clock) = (self.clock_monitor.trust(), self.env.clock.clone());
        health.require("clock", move || trust.check(&*clock));
        let (live, clock) = (self.reloader.live(), self.env.clock.clone());
        health.require("trust", move || {
            live.fresh(&*clock).map(|_| ()).ok_or_else(|| "certificates may be out of date".into())
        });
        let history = self.history.history().clone();
        health.require("history", move || match &*history.state() {
            HistoryState::Current => Ok(()),
            other => Err(other.to_string()),
        });
        let durability = self.durability.clone();
        health.require("durability", move || durability.problem().map_or(Ok(()), Err));
        let recorder = self.recorder.clone();
        health.require("recording", move || recorder.problem().map_or(Ok(()), Err));
        let sealer = self.sealer.clone();
        health.require("ledger", move || sealer.problem().map_or(Ok(()), Err));
    }
}
