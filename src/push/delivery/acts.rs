//! What operators do about deliveries. Each act is one entry of the ledger.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Deliveries, MOST_REJECTED, correction::successor};
use crate::{
    domain::{
        Actor, Malformed,
        ids::{EntryId, OutboxId},
        printable::{LONGEST_REASON, check_text},
    },
    grading::Rounds,
    ledger::{self, Action, Change},
    outbox,
    push::{
        PushError,
        making::{Cause, GradesOf, Made, Scope, UsageOf, lock_of},
    },
    store::push::{packages, platforms, rows},
};

impl Deliveries {
    /// Delivers the pages that were given up again. Returns how many.
    pub async fn redrive(&self, platform: &str, actor: &Actor) -> Result<u64, PushError> {
        let during = || PushError::store("delivering pages again");
        self.target(platform)?;
        let env = &self.maker.env;
        let dead = packages::dead_pages(&env.db.read("push::dead_pages"), platform).await.map_err(during())?;
        let mut redriven = 0;
        for page in dead {
            let id: OutboxId = page.item_id.parse().map_err(|_| PushError::Form(page.item_id.clone()))?;
            let mut tx = env.db.begin("push::redrive").await.map_err(during())?;
            // Another operator may have been first.
            if outbox::redrive(&mut tx, id, env.now()).await.is_err() {
                continue;
            }
            let detail = json!({ "platform": platform, "package": page.number, "page": page.page });
            let change = Change::of(detail);
            let recorded = ledger::audit(&mut tx, env, actor, Action::PageRedriven, Some(&page.item_id), change).await;
            recorded.map_err(PushError::Ledger)?;
            tx.commit().await.map_err(during())?;
            redriven += 1;
        }
        Ok(redriven)
    }

    /// Sends rejected rows again, as they would be now: all of a platform, or those of one record. The caller holds the lock of
    /// packages.
    pub async fn resend(&self, platform: &str, record: Option<&str>, actor: &Actor) -> Result<Vec<Made>, PushError> {
        let during = || PushError::store("looking for the rejected rows");
        let target = self.target(platform)?;
        let db = &self.maker.env.db;
        let rejected = rows::rejected(&db.read("push::rejected"), platform, MOST_REJECTED).await.map_err(during())?;
        let mut by_package: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
        for row in rejected.into_iter().filter(|row| record.is_none_or(|record| record == row.record_id)) {
            by_package.entry(row.package_id).or_default().push(row.code);
        }
        let mut of_runs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut made = Vec::new();
        for (package, codes) in by_package {
            let found = packages::find(&db.read("push::package"), &package).await.map_err(during())?;
            let Some(package) = found else { continue };
            if let Some(run) = package.run_id {
                of_runs.entry(run).or_default().extend(codes.into_iter().flatten());
                continue;
            }
            let period = package.period.parse().map_err(|error: Malformed| PushError::Form(error.0))?;
            let of = UsageOf { platform: &target.platform, period: &period, again: true };
            made.push(self.maker.make_usage(of, Cause::Resend, None, actor).await?);
        }
        let runs = Rounds::new(self.maker.env.clone()).list().await.map_err(PushError::Grading)?;
        let mut of_last: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (run, codes) in of_runs {
            of_last.entry(successor(&run, &runs)).or_default().extend(codes);
        }
        for (run, mut codes) in of_last {
            codes.sort();
            codes.dedup();
            let scope = Scope::Subjects { codes, again: true };
            let of = GradesOf { platform: &target.platform, run: &run, scope: &scope };
            made.push(self.maker.make_grades(of, Cause::Resend, None, actor).await?);
        }
        made.retain(|made| made.package.is_some());
        Ok(made)
    }

    /// Leaves a rejected row as it is, for a reason. `false` when the record has no rejected row.
    pub async fn waive(&self, platform: &str, record: &str, reason: &str, actor: &Actor) -> Result<bool, PushError> {
        let during = || PushError::store("waiving a rejected row");
        self.target(platform)?;
        check_reason(reason)?;
        let env = &self.maker.env;
        let sent = rows::find(&env.db.read("push::row"), platform, record).await.map_err(during())?;
        let Some(row) = sent.into_iter().rev().find(|row| row.state == "rejected") else { return Ok(false) };
        let mut tx = env.db.begin("push::waive").await.map_err(during())?;
        tx.lock_names(&[lock_of(platform)]).await.map_err(during())?;
        if !rows::waive(&mut tx, platform, record, row.version, reason, env.now()).await.map_err(during())? {
            return Ok(false);
        }
        let detail = json!({ "platform": platform, "version": row.version, "rejected_for": row.reason });
        let change = Change::of(detail).because(Some(reason));
        let recorded = ledger::audit(&mut tx, env, actor, Action::RowWaived, Some(record), change).await;
        recorded.map_err(PushError::Ledger)?;
        packages::close(&mut tx, &row.package_id, env.now()).await.map_err(during())?;
        tx.commit().await.map_err(during())?;
        Ok(true)
    }

    /// Pauses a platform: nothing is delivered until it is resumed. Returns the entry of the act; none when it is paused already.
    pub async fn pause(&self, platform: &str, reason: &str, actor: &Actor) -> Result<Option<EntryId>, PushError> {
        let during = || PushError::store("pausing a platform");
        self.target(platform)?;
        check_reason(reason)?;
        let env = &self.maker.env;
        let mut tx = env.db.begin("push::pause").await.map_err(during())?;
        if !platforms::pause(&mut tx, platform, &actor.name(), reason, env.now()).await.map_err(during())? {
            return Ok(None);
        }
        let change = Change::of(json!({})).because(Some(reason));
        let recorded = ledger::audit(&mut tx, env, actor, Action::PlatformPaused, Some(platform), change).await;
        let entry = recorded.map_err(PushError::Ledger)?;
        tx.commit().await.map_err(during())?;
        Ok(Some(entry))
    }

    /// Resumes a platform, and closes its circuit breaker. `false` when nothing was in the way.
    pub async fn resume(&self, platform: &str, actor: &Actor) -> Result<bool, PushError> {
        let during = || PushError::store("resuming a platform");
        self.target(platform)?;
        let env = &self.maker.env;
        let mut tx = env.db.begin("push::resume").await.map_err(during())?;
        if !platforms::resume(&mut tx, platform).await.map_err(during())? {
            return Ok(false);
        }
        let change = Change::of(json!({}));
        let recorded = ledger::audit(&mut tx, env, actor, Action::PlatformResumed, Some(platform), change).await;
        recorded.map_err(PushError::Ledger)?;
        tx.commit().await.map_err(during())?;
        Ok(true)
    }
}

fn check_reason(reason: &str) -> Result<(), PushError> {
    check_text(reason, LONGEST_REASON).map_err(|_| PushError::Reason { longest: LONGEST_REASON })
}
