//! The work of one gateway for one platform: lease it, deliver what is due, give it back.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::task::JoinSet;

use super::{Deliveries, PageOutcome, Target, breaker::Breaker, page::DeliveredPage};
use crate::{
    domain::{Actor, Failure, Malformed, Timestamp},
    grading::Rounds,
    push::{
        PushError,
        making::{Cause, GradesOf, Made, Occasion, Scope, UsageOf, target as target_of},
    },
    store::{
        push::{packages, platforms},
        runs::RunRow,
    },
};

/// How long after a comparison of a round the file of another gateway may undo it. While gateways are started with a changed file one
/// after the other, each would withdraw what the other sends, for as long as both run.
const SETTLES_AFTER: Duration = Duration::from_hours(1);

/// What a pass over a platform did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Whether this gateway has the platform; another one may deliver to it.
    pub is_leased: bool,
    /// Whether an operator has paused it, or its circuit breaker is open.
    pub is_stopped: bool,
    pub pages: u64,
    pub rows: u64,
    pub withheld: u64,
    /// Attempts that failed and are repeated later.
    pub failed: u64,
    /// Pages that were given up.
    pub dead: u64,
}

/// Packages that the schedules made, and what could not be made.
#[derive(Debug, Default)]
pub struct Due {
    pub made: Vec<Made>,
    /// By platform.
    pub failed: Vec<(String, PushError)>,
}

/// A signal to stop between two pages.
type Stopping<'s> = &'s (dyn Fn() -> bool + Sync);

impl Deliveries {
    /// Delivers to a platform until nothing more is due, or it is to stop. `each` is called with every attempt.
    pub async fn deliver(
        self: &Arc<Self>,
        platform: &str,
        is_stopping: Stopping<'_>,
        each: &(dyn Fn(&DeliveredPage) + Sync),
    ) -> Result<Delivered, Failure> {
        let target = self.target(platform).map_err(|error| Failure::internal(error.to_string()))?;
        let mut done = Delivered::default();
        // Tasks, so that they continue while this one waits for the database: they hold connections of the same pool.
        let mut under_way: JoinSet<Result<DeliveredPage, Failure>> = JoinSet::new();
        let mut is_dry = false;
        loop {
            let room = target.in_flight().saturating_sub(under_way.len());
            // Claims are few and large: each is a transaction.
            let is_worth_it = room >= target.in_flight().div_ceil(4);
            if !is_dry && is_worth_it && !is_stopping() {
                if !self.hold(platform).await? {
                    break;
                }
                done.is_leased = true;
                let allowed = self.allowed(target).await?;
                done.is_stopped = allowed == 0;
                let free = allowed.saturating_sub(under_way.len());
                if free > 0 {
                    let most = i64::try_from(free).unwrap_or(1);
                    let claimed = self.outbox.claim(Some(&target_of(platform)), self.owner(), most).await?;
                    is_dry = claimed.is_empty() && under_way.is_empty();
                    for lease in claimed {
                        let (deliveries, target) = (Arc::clone(self), target.clone());
                        under_way.spawn(async move { deliveries.deliver_page(&target, lease).await });
                    }
                }
            }
            let Some(page) = self.next_page(platform, &mut under_way).await? else { break };
            done.add(&page);
            each(&page);
            self.note(target, &page).await?;
        }
        // Those under way end before the lease is given back.
        while let Some(page) = self.next_page(platform, &mut under_way).await? {
            done.add(&page);
            each(&page);
            self.note(target, &page).await?;
        }
        Ok(done)
    }

    /// Waits for the next page that ends; none when nothing is under way. The leases are extended meanwhile: a page may take longer
    /// than they last, and must not be begun by another gateway beside this one.
    async fn next_page(
        &self,
        platform: &str,
        under_way: &mut JoinSet<Result<DeliveredPage, Failure>>,
    ) -> Result<Option<DeliveredPage>, Failure> {
        loop {
            tokio::select! {
                page = under_way.join_next() => {
                    let Some(page) = page else { return Ok(None) };
                    return page.map_err(|error| Failure::internal(error.to_string()))?.map(Some);
                }
                () = tokio::time::sleep(self.timing.lease / 2) => {
                    if self.hold(platform).await? {
                        self.outbox.extend(&target_of(platform), self.owner()).await?;
                    }
                }
            }
        }
    }

    /// Takes or extends the lease of a platform; `false` while another gateway has it.
    async fn hold(&self, platform: &str) -> Result<bool, Failure> {
        let env = &self.maker.env;
        // A clock that is ahead would take platforms from gateways that are still delivering (I10).
        env.require_clock()?;
        let (now, monotonic) = (env.now(), env.clock.monotonic());
        let half = self.timing.lease / 2;
        let last = self.leased.lock().unwrap_or_else(PoisonError::into_inner).get(platform).copied();
        // Extended before half of it is over, and not with every page.
        if last.is_some_and(|last| monotonic < last + half) {
            return Ok(true);
        }
        let mut tx = env.db.begin("push::lease").await?;
        let leased = platforms::lease(&mut tx, platform, self.owner(), now, now.plus(self.timing.lease)).await?;
        tx.commit().await?;
        {
            let mut known = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
            match leased {
                Some(_) => known.insert(platform.to_owned(), monotonic),
                None => known.remove(platform),
            };
        }
        let Some(is_new) = leased else { return Ok(false) };
        if is_new {
            // The gateway that had it before is gone: its pages are begun again immediately.
            self.outbox.release(&target_of(platform)).await?;
            let row = platforms::find(&env.db.read("push::platform"), platform).await?;
            let breaker = row.map(|row| Breaker {
                failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
                open_until: row.open_until_at.map(Timestamp::from_micros),
            });
            self.set_breaker(platform, breaker.unwrap_or_default());
        }
        Ok(true)
    }

    /// Gives the leases back, for a gateway that stops: another one need not wait for their end.
    pub async fn release(&self) -> Result<(), Failure> {
        let held: Vec<String> =
            std::mem::take(&mut *self.leased.lock().unwrap_or_else(PoisonError::into_inner)).into_keys().collect();
        for platform in held {
            let mut tx = self.maker.env.db.begin("push::release").await?;
            platforms::release(&mut tx, &platform, self.owner()).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// How many pages may be under way.
    async fn allowed(&self, target: &Target) -> Result<usize, Failure> {
        let (env, platform) = (&self.maker.env, &target.platform.id);
        let row = platforms::find(&env.db.read("push::platform"), platform).await?;
        if row.as_ref().is_some_and(|row| row.paused_at.is_some()) {
            return Ok(0);
        }
        // Another process resumes a platform by closing its breaker in the store.
        let is_open = row.is_some_and(|row| row.open_until_at.is_some());
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        let breaker = breakers.entry(platform.clone()).or_default();
        if breaker.open_until.is_some() && !is_open {
            breaker.succeeded();
        }
        Ok(breaker.allows(target.in_flight(), env.now()))
    }

    fn set_breaker(&self, platform: &str, breaker: Breaker) {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner).insert(platform.to_owned(), breaker);
    }

    /// Notes how an attempt ended, for the circuit breaker and for operators.
    async fn note(&self, target: &Target, page: &DeliveredPage) -> Result<(), Failure> {
        let (env, platform) = (&self.maker.env, &target.platform.id);
        let (before, breaker) = {
            let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
            let breaker = breakers.entry(platform.clone()).or_default();
            let before = *breaker;
            match page.outcome {
                PageOutcome::Delivered => breaker.succeeded(),
                _ if page.is_of_platform => breaker.failed(&self.timing, env.now()),
                _ => {}
            }
            (before, *breaker)
        };
        let outcome = match page.outcome {
            PageOutcome::Delivered => "delivered",
            PageOutcome::Retry(_) => "retry",
            PageOutcome::Dead => "dead",
            PageOutcome::Lost => "lost",
        };
        metrics::counter!("medcredit_push_pages_total", "platform" => platform.clone(), "outcome" => outcome)
            .increment(1);
        match &page.failed {
            None if before.failures > 0 => {
                let mut tx = env.db.begin("push::succeeded").await?;
                platforms::succeeded(&mut tx, platform).await?;
                tx.commit().await?;
                tracing::info!(platform, "the platform takes pages again");
            }
            Some(error) => {
                let mut tx = env.db.begin("push::failed").await?;
                let failures = i64::from(breaker.failures);
                platforms::failed(&mut tx, platform, failures, breaker.open_until, error, env.now()).await?;
                tx.commit().await?;
                if before.failures == 0 || page.outcome == PageOutcome::Dead {
                    tracing::warn!(platform, state = outcome, error, "a page could not be delivered");
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Makes what the schedules of the platforms demand now. A platform for which something fails does not keep the others from
    /// theirs. The caller holds the lock of packages.
    pub async fn make_due(&self, platforms: &[&str], actor: &Actor) -> Result<Due, PushError> {
        let mut due = Due::default();
        let runs = Rounds::new(self.maker.env.clone()).list().await.map_err(PushError::Grading)?;
        for platform in platforms {
            let target = self.target(platform)?;
            for run in runs.iter().filter(|run| run.state == "published") {
                if let Err(error) = self.make_round(target, run, actor, &mut due.made).await {
                    due.failed.push(((*platform).to_owned(), error));
                }
            }
            if let Err(error) = self.make_counts(target, actor, &mut due.made).await {
                due.failed.push(((*platform).to_owned(), error));
            }
        }
        Ok(due)
    }

    async fn make_round(
        &self,
        target: &Target,
        run: &RunRow,
        actor: &Actor,
        made: &mut Vec<Made>,
    ) -> Result<(), PushError> {
        let platform = &*target.platform;
        let withdrawal = Occasion::Withdrawal(run.id.clone());
        let is_withdrawn = self.is_made(&platform.id, "grades", &withdrawal).await?;
        let (occasion, cause) = if platform.kinds.contains(&run.kind) {
            let Some(occasion) = Occasion::of_round(platform, &run.id, self.maker.env.now()) else { return Ok(()) };
            let withheld = Occasion::Withheld(run.id.clone());
            if is_withdrawn || self.is_made(&platform.id, "grades", &withheld).await? {
                // The kind was named, not named, and is named again.
                if !self.is_settled(&platform.id, &run.id).await? {
                    return Ok(());
                }
                self.forget(&platform.id, &run.id).await?;
            } else if self.is_made(&platform.id, "grades", &occasion).await? {
                return Ok(());
            }
            (occasion, Cause::Scheduled)
        } else {
            let is_held = platform.grades.is_some() && self.maker.has_kind(platform, &run.kind).await?;
            if is_withdrawn || !is_held || !self.is_settled(&platform.id, &run.id).await? {
                return Ok(());
            }
            self.forget(&platform.id, &run.id).await?;
            (withdrawal, Cause::Correction)
        };
        let run = &run.id;
        let of = GradesOf { platform, run, scope: &Scope::All };
        made.push(self.maker.make_grades(of, cause, Some(&occasion), actor).await?);
        Ok(())
    }

    /// Whether what was last decided about a round may be undone because the platform's file is another one.
    async fn is_settled(&self, platform: &str, run: &str) -> Result<bool, PushError> {
        let read = self.maker.env.db.read("push::compared_at");
        let at = packages::compared_at(&read, platform, run).await;
        let at = at.map_err(PushError::store("reading what the schedules made"))?;
        Ok(at.is_none_or(|at| self.maker.env.now() >= at.plus(SETTLES_AFTER)))
    }

    /// Forgets that a platform was compared with a round, which is then compared again. A crash right after has the same effect.
    async fn forget(&self, platform: &str, run: &str) -> Result<(), PushError> {
        let during = || PushError::store("noting that a round is to be compared again");
        let mut tx = self.maker.env.db.begin("push::forget_run").await.map_err(during())?;
        packages::forget_run(&mut tx, platform, run).await.map_err(during())?;
        tx.commit().await.map_err(during())
    }

    async fn make_counts(&self, target: &Target, actor: &Actor, made: &mut Vec<Made>) -> Result<(), PushError> {
        let platform = &*target.platform;
        let Some(occasion) = Occasion::of_usage(platform, self.maker.env.now()) else { return Ok(()) };
        if self.is_made(&platform.id, "usage", &occasion).await? {
            return Ok(());
        }
        let period = occasion.to_string().parse().map_err(|error: Malformed| PushError::Form(error.0))?;
        let of = UsageOf { platform, period: &period, again: false };
        made.push(self.maker.make_usage(of, Cause::Scheduled, Some(&occasion), actor).await?);
        Ok(())
    }

    async fn is_made(&self, platform: &str, dataset: &str, occasion: &Occasion) -> Result<bool, PushError> {
        let read = self.maker.env.db.read("push::made");
        let made = packages::is_made(&read, platform, dataset, &occasion.to_string()).await;
        made.map_err(PushError::store("reading what the schedules made"))
    }
}

impl Delivered {
    fn add(&mut self, page: &DeliveredPage) {
        self.withheld += page.withheld;
        match page.outcome {
            PageOutcome::Delivered => {
                self.pages += 1;
                self.rows += page.rows;
            }
            PageOutcome::Retry(_) | PageOutcome::Lost => self.failed += 1,
            PageOutcome::Dead => self.dead += 1,
        }
    }
}
