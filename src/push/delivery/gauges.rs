//! The gauges of platforms.

use super::Deliveries;
use crate::store::{
    DbError,
    push::{packages, platforms, rows},
};

impl Deliveries {
    /// Sets the gauges of every platform.
    pub async fn set_gauges(&self) -> Result<(), DbError> {
        let env = &self.maker.env;
        for platform in self.targets.keys() {
            let now = env.now().micros();
            let row = platforms::find(&env.db.read("push::platform"), platform).await?;
            let is_stopped =
                row.is_some_and(|row| row.paused_at.is_some() || row.open_until_at.is_some_and(|until| now < until));
            let open = packages::open(&env.db.read("push::open_packages"), platform).await?;
            let oldest = open.first().map_or(0, |package| now.saturating_sub(package.made_at) / 1_000_000);
            let overdue = open.iter().filter(|package| package.due_at < now).count();
            let waiting = rows::unsettled(&env.db.read("push::unsettled"), platform).await?;
            let dead = packages::dead_pages(&env.db.read("push::dead_pages"), platform).await?.len();
            let of = || platform.clone();
            metrics::gauge!("medcredit_push_rows", "platform" => of(), "state" => "open").set(float(waiting.open));
            metrics::gauge!("medcredit_push_rows", "platform" => of(), "state" => "rejected")
                .set(float(waiting.rejected));
            metrics::gauge!("medcredit_push_oldest_seconds", "platform" => of()).set(float(oldest));
            let count = |number: usize| float(i64::try_from(number).unwrap_or(i64::MAX));
            metrics::gauge!("medcredit_push_overdue_packages", "platform" => of()).set(count(overdue));
            metrics::gauge!("medcredit_push_dead_pages", "platform" => of()).set(count(dead));
            metrics::gauge!("medcredit_push_stopped", "platform" => of()).set(f64::from(u8::from(is_stopped)));
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
fn float(number: i64) -> f64 {
    number as f64
}
