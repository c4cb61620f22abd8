//! The health checks that readiness depends on.

use super::App;
use crate::telemetry::Health;

impl App {
    /// Registers the gateway's checks. It is not ready while it may have missed changes or cannot seal.
    pub fn report_health(&self, health: &Health) {
        let access = self.access.clone();
        health
            .require("state", move || access.is_current().map_err(|failure| failure.context.unwrap_or(failure.public)));
        let (live, clock) = (self.reloader.live(), self.env.clock.clone());
        health.require("trust", move || {
            live.fresh(clock.now()).map(|_| ()).ok_or_else(|| "certificates may be out of date".into())
        });
        let sealer = self.sealer.clone();
        health.require("ledger", move || sealer.problem().map_or(Ok(()), Err));
    }
}
