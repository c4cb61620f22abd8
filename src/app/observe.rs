//! Gauges that no request sets: pools, disks, file descriptors and the newest checkpoint.

use std::{path::Path, time::Duration};

use super::App;
use crate::{
    domain::Timestamp,
    store::{DbError, clocks, proposals::counts},
    telemetry,
};

/// For how long an act without an approval is counted: an alert lasts until somebody has had a day to see it.
const BREAK_GLASS_SHOWN: Duration = Duration::from_hours(24);

impl App {
    /// Sets the gauges. An error is the database's; the gauges that need none are set first.
    pub async fn observe(&self) -> Result<(), DbError> {
        for of in self.env.db.pool_use() {
            let gauge = |state: &'static str| metrics::gauge!("medcredit_store_connections", "pool" => of.name, "state" => state);
            gauge("used").set(f64::from(of.used));
            gauge("idle").set(f64::from(of.idle));
            metrics::gauge!("medcredit_store_connections_max", "pool" => of.name).set(f64::from(of.most));
        }
        let files = telemetry::open_files();
        metrics::gauge!("medcredit_process_open_files").set(float(files.open));
        metrics::gauge!("medcredit_process_open_files_limit").set(float(files.limit));
        if let Some(directory) = self.env.db.directory() {
            disk("store", directory);
        }
        disk("checkpoint", &self.config.ledger.checkpoint_file);
        let proposals = counts(&self.env.db, self.env.now(), self.env.now().minus(BREAK_GLASS_SHOWN)).await?;
        metrics::gauge!("medcredit_proposals", "state" => "open").set(count(proposals.open));
        metrics::gauge!("medcredit_proposals", "state" => "approved").set(count(proposals.approved));
        metrics::gauge!("medcredit_break_glass_acts").set(count(proposals.broken_glass));
        if let Some(sealed) = clocks::last_sealed(&self.env.db).await? {
            metrics::gauge!("medcredit_ledger_checkpoint_timestamp_seconds").set(seconds(sealed));
        }
        Ok(())
    }
}

fn count(rows: i64) -> f64 {
    float(u64::try_from(rows).unwrap_or(0))
}

fn disk(place: &'static str, path: &Path) {
    // A file system that cannot be read shows in what is written to it.
    if let Ok(space) = telemetry::disk_space(path) {
        metrics::gauge!("medcredit_disk_free_bytes", "place" => place).set(float(space.free));
        metrics::gauge!("medcredit_disk_size_bytes", "place" => place).set(float(space.size));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "microseconds stay below 2^53 until the year 2255")]
fn seconds(at: Timestamp) -> f64 {
    at.micros() as f64 / 1_000_000.0
}
