//! Packages for platforms: made and delivered in the background.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use super::{
    App, AppError,
    background::{FailureSeries, every},
};
use crate::{
    config::Config,
    domain::{Actor, Failure, error_chain},
    grading::Library,
    importing::References,
    outbox::Outbox,
    push::{
        PushError,
        carrier::{CarrierContext, https::CurrentSigner, open},
        delivery::{CalledBack, Deliveries, Target, Timing},
        making::{AnswerDays, Maker, MakerTables},
        platform::{Evaluator, Platforms, Reference},
    },
    store::Env,
};

/// How often a gateway looks for pages that are due, for each platform.
const DELIVER_INTERVAL: Duration = Duration::from_secs(1);
/// How often events are routed and schedules are looked at.
const MAKE_INTERVAL: Duration = Duration::from_secs(5);
/// How often the gauges of platforms are set.
const GAUGES_INTERVAL: Duration = Duration::from_secs(15);
/// How long nothing is made after something could not be.
const AFTER_FAILURE: Duration = Duration::from_mins(5);
/// How long a gateway may have a platform without extending it.
const LEASE: Duration = Duration::from_mins(1);

/// Deliveries to the platforms that the configuration names.
pub fn deliveries(
    config: &Config,
    env: &Env,
    library: &Library,
    references: &References,
    signer: CurrentSigner,
) -> Result<Deliveries, AppError> {
    let section = &config.push;
    let reference = Reference { kinds: &references.kinds, library };
    let platforms = Platforms::load(&section.platforms_directory, &reference).map_err(AppError::Platforms)?;
    let evaluator = Evaluator { name: section.evaluator.clone(), uscc: section.evaluator_uscc.clone() };
    let context = CarrierContext {
        clock: env.clock.clone(),
        signer: signer.clone(),
        evaluator: evaluator.clone(),
        working_directory: section.working_directory.clone(),
    };
    let mut targets = Vec::new();
    for id in &section.deliver_to {
        let platform = platforms.get(id).map_err(AppError::Platforms)?;
        let carrier = open(platform, &context).map_err(AppError::Carrier)?;
        targets.push(Target { platform: Arc::new(platform.clone()), carrier });
    }
    let tables = MakerTables {
        library: library.clone(),
        kinds: references.kinds.clone(),
        regions: references.regions.clone(),
        evaluator,
        answer_days: AnswerDays { correction: section.correction_days, other: section.answer_days },
    };
    let outbox = Outbox::new(env.clone(), super::policies::outbox_policy(config));
    let (shortest_wait, longest_wait) = section.breaker_waits();
    let (receipts, longest_receipts) = section.receipt_waits();
    let failures = section.breaker_failures;
    let timing = Timing { lease: LEASE, failures, shortest_wait, longest_wait, receipts, longest_receipts };
    Ok(Deliveries::new(Maker::new(env.clone(), tables, signer), outbox, targets, timing))
}

impl App {
    /// Makes the packages that are due, and routes the events since. Another gateway may be doing it.
    pub async fn make_packages(&self) {
        // What a database that was turned back would send platforms could be wrong (I9); a clock that is ahead would begin periods.
        if self.recorder.require_current().is_err() || self.env.require_clock().is_err() {
            return;
        }
        let now = self.env.clock.monotonic();
        let is_waiting = self.packages_after.lock().is_ok_and(|after| after.is_some_and(|after| now < after));
        if is_waiting {
            return;
        }
        let outcome = self.make_under_lock().await;
        let failed = match outcome {
            Ok(failed) => failed,
            Err(error) => vec![("all".to_owned(), error)],
        };
        for (platform, error) in &failed {
            tracing::warn!(platform, error = %error_chain(error), "packages could not be made");
        }
        if let Ok(mut after) = self.packages_after.lock() {
            *after = (!failed.is_empty()).then(|| now + AFTER_FAILURE);
        }
    }

    async fn make_under_lock(&self) -> Result<Vec<(String, PushError)>, PushError> {
        let Some(lock) = self.deliveries.maker().lock().await? else { return Ok(Vec::new()) };
        let outcome = async {
            // Events first: a package of the whole round then has what they say already.
            let routed = self.deliveries.route(&Actor::system()).await?;
            let all: Vec<&str> = self.deliveries.platforms().collect();
            let due = self.deliveries.make_due(&all, &Actor::system()).await?;
            for made in routed.made.iter().chain(&due.made) {
                if let Some(package) = &made.package {
                    let (platform, number, rows) = (&made.plan.platform, package.number, package.rows);
                    tracing::info!(platform, package.number = number, rows, "a package was made");
                }
            }
            Ok(routed.failed.into_iter().chain(due.failed).collect())
        }
        .await;
        // An error of the release is one of the store, which the next pass meets again.
        let _ = lock.release().await;
        outcome
    }

    /// Delivers to a platform what is due, and reads what it answers.
    async fn deliver_to(&self, platform: &str, series: &FailureSeries, is_stopping: &(dyn Fn() -> bool + Sync)) {
        if self.recorder.require_current().is_err() || self.env.require_clock().is_err() {
            return;
        }
        let delivered = self.deliveries.deliver(platform, is_stopping, &|_| {}).await;
        let outcome = match delivered {
            // Another gateway delivers to it, and reads its answers.
            Ok(delivered) if !delivered.is_leased => return,
            Ok(_) if is_stopping() => return,
            Ok(_) => self.deliveries.read_answers(platform, false).await.map(drop),
            Err(failure) => Err(failure),
        };
        match outcome {
            Err(failure) if series.begins() => {
                let reason = failure.context.as_deref().unwrap_or("-");
                tracing::warn!(platform, code = failure.code, reason, "deliveries to the platform failed");
            }
            Ok(()) if series.ends() => tracing::info!(platform, "deliveries to the platform work again"),
            _ => {}
        }
    }

    /// Applies what a platform reports about rows of a package, under the conditions under which it is asked for: a database that
    /// was turned back does not have the rows yet, and the receipts would be lost (I9).
    pub async fn take_receipts(
        &self,
        platform: &str,
        package: i64,
        receipts: &[serde_json::Value],
        actor: &Actor,
    ) -> Result<CalledBack, Failure> {
        self.recorder.require_current()?;
        self.env.require_clock()?;
        self.deliveries.called_back(platform, package, receipts, actor).await
    }

    /// Starts the tasks of packages: one that makes them, and one for each platform.
    pub(super) fn start_push(self: &Arc<Self>, tasks: &mut JoinSet<()>, stopping: &watch::Receiver<bool>) {
        let platforms: Vec<String> = self.deliveries.platforms().map(str::to_owned).collect();
        if platforms.is_empty() {
            return;
        }
        let app = self.clone();
        tasks.spawn(every(MAKE_INTERVAL, stopping.clone(), move || {
            let app = app.clone();
            async move { app.make_packages().await }
        }));
        let app = self.clone();
        tasks.spawn(every(GAUGES_INTERVAL, stopping.clone(), move || {
            let app = app.clone();
            async move {
                // Not logged: a database that does not answer is reported by the polls.
                let _ = app.deliveries.set_gauges().await;
            }
        }));
        self.start_corrections(tasks, stopping);
        for platform in platforms {
            let (app, stop, series) = (self.clone(), stopping.clone(), Arc::new(FailureSeries::default()));
            tasks.spawn(async move {
                let (of_work, of_task) = (app.clone(), stop.clone());
                every(DELIVER_INTERVAL, of_task, move || {
                    let (app, platform, stop) = (of_work.clone(), platform.clone(), stop.clone());
                    let series = series.clone();
                    async move { app.deliver_to(&platform, &series, &|| *stop.borrow()).await }
                })
                .await;
                // Another gateway need not wait for the lease to end.
                let _ = app.deliveries.release().await;
            });
        }
    }
}
