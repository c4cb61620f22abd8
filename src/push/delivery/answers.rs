//! Reads what platforms answer about rows, and closes the packages of which every row is settled.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Deliveries, Target, page::head};
use crate::{
    domain::{Failure, Timestamp},
    outbox::{Event, EventBatch},
    push::{
        carrier::{Failed, Fault, RowReceipt, Verdict},
        making::lock_of,
        platform::Receipts,
    },
    store::{
        Tx,
        push::{
            packages::{self, PackageRow},
            rows,
        },
    },
};

/// What a reading of receipts found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answered {
    /// Rows that were accepted, and were not known to be.
    pub accepted: u64,
    /// Rows that were rejected, and were not known to be.
    pub rejected: u64,
    /// Answers that cannot be read.
    pub faults: Vec<Fault>,
    /// Packages that are closed now.
    pub closed: u64,
    /// Why the receipts of a package could not be read.
    pub failed: Vec<String>,
}

/// A platform lacks a record that was to be changed.
#[derive(Debug, Serialize)]
struct OriginalMissing<'a> {
    platform: &'a str,
    code: String,
}

impl Event for OriginalMissing<'_> {
    const NAME: &'static str = "push.original_missing";

    fn ordering_key(&self) -> String {
        self.code.clone()
    }
}

/// How a reading of a package's answers ended.
enum Reading {
    /// All that there are now were read; where the last page of them begins.
    Done(Option<String>),
    Failed(Failed),
}

impl Answered {
    /// Adds what another reading found.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.faults.extend(other.faults);
        self.closed += other.closed;
        self.failed.extend(other.failed);
    }
}

impl Deliveries {
    /// Reads the answers to a platform's open packages whose time has come; with `even_early`, to all. Only the gateway that has the platform
    /// does.
    pub async fn read_answers(&self, platform: &str, even_early: bool) -> Result<Answered, Failure> {
        let target = self.target(platform).map_err(|error| Failure::internal(error.to_string()))?;
        let mut found = Answered::default();
        let env = &self.maker.env;
        for package in packages::open(&env.db.read("push::open_packages"), platform).await? {
            // Not every time: closing is a transaction, and a package may be open for days.
            if !even_early && env.now().micros() < package.receipts_at {
                continue;
            }
            if !self.has_left(&package).await? {
                continue;
            }
            let before = found.accepted + found.rejected;
            let reading = match target.platform.receipts {
                Receipts::Read => self.read_package(target, &package, &mut found).await?,
                // The last receipt may have come before the last page was marked as delivered: then only this closes the package.
                Receipts::CalledBack => Reading::Done(None),
            };
            match reading {
                Reading::Done(after) => {
                    let is_new = found.accepted + found.rejected > before;
                    let tries = if is_new { 0 } else { package.receipts_tries + 1 };
                    self.schedule(&package.id, after.as_deref(), tries).await?;
                }
                Reading::Failed(failed) => {
                    self.put_off(&package, &failed).await?;
                    let (number, error) = (package.number, &failed.detail);
                    tracing::warn!(platform, package.number = number, error, "receipts could not be read");
                    found.failed.push(format!("package {number}: {error}"));
                }
            }
            found.closed += u64::from(self.close(&package.id).await?);
        }
        Ok(found)
    }

    /// Whether a page of a package has left.
    async fn has_left(&self, package: &PackageRow) -> Result<bool, Failure> {
        let states = packages::page_states(&self.maker.env.db.read("push::page_states"), &package.id).await?;
        Ok(states.iter().any(|row| row.state != "queued"))
    }

    /// Reads all answers to a package that there are now. Returns where the last page of them begins.
    async fn read_package(
        &self,
        target: &Target,
        package: &PackageRow,
        found: &mut Answered,
    ) -> Result<Reading, Failure> {
        let head = head(package.clone());
        let mut after = package.receipts_after.clone();
        loop {
            let listed = match target.carrier.receipts(&head, after.as_deref()).await {
                Ok(listed) => listed,
                Err(failed) => return Ok(Reading::Failed(failed)),
            };
            found.faults.extend(listed.faults);
            let (accepted, rejected) = self.apply(&target.platform.id, &listed.entries).await?;
            found.accepted += accepted;
            found.rejected += rejected;
            // The last page is read again the next time: it may have grown.
            let Some(next) = listed.next else { return Ok(Reading::Done(after)) };
            after = Some(next);
            self.schedule(&package.id, after.as_deref(), 0).await?;
        }
    }

    /// Applies answers in one transaction. An answer that is known already, or about an unknown row, changes nothing.
    pub async fn apply(&self, platform: &str, entries: &[RowReceipt]) -> Result<(u64, u64), Failure> {
        if entries.is_empty() {
            return Ok((0, 0));
        }
        let mut tx = self.maker.env.db.begin("push::apply").await?;
        let counts = self.apply_in(&mut tx, platform, entries).await?;
        tx.commit().await?;
        count(platform, counts);
        Ok(counts)
    }

    /// Applies answers in the caller's transaction.
    pub(super) async fn apply_in(
        &self,
        tx: &mut Tx,
        platform: &str,
        entries: &[RowReceipt],
    ) -> Result<(u64, u64), Failure> {
        let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
        for RowReceipt { record_id, version, verdict } in entries {
            match verdict {
                Verdict::Accepted => accepted.push(json!([record_id, version])),
                Verdict::Rejected { reason, note } => rejected.push(json!([record_id, version, reason.code(), note])),
            }
        }
        let env = &self.maker.env;
        tx.lock_names(&[lock_of(platform)]).await?;
        // Acceptance first: a receiver that says both has the row.
        let accepted = rows::accept(tx, platform, Value::from(accepted).to_string(), env.now()).await?;
        let answers = Value::from(rejected).to_string();
        let rejected = rows::reject(tx, platform, answers.clone(), env.now()).await?;
        if rejected > 0 {
            self.send_as_new(tx, platform, answers).await?;
        }
        Ok((accepted, rejected))
    }

    /// Has records compared again of which a platform says that it lacks what was to be changed: they are sent as new ones. In the
    /// transaction of the answer, so that a crash loses neither.
    async fn send_as_new(&self, tx: &mut Tx, platform: &str, answers: String) -> Result<(), Failure> {
        let env = &self.maker.env;
        let mut batch = EventBatch::new();
        for code in rows::without_original(tx, platform, answers).await? {
            match code {
                Some(code) => {
                    let added = batch.add(env, &OriginalMissing { platform, code });
                    added.map_err(|error| Failure::internal(error.to_string()))?;
                }
                // Counts belong to no subject: the schedule compares the last period again.
                None => packages::forget_counts(tx, platform).await?,
            }
        }
        batch.write(tx, env.now()).await?;
        Ok(())
    }

    /// Closes a package if all its pages are delivered and all its rows settled.
    pub(super) async fn close(&self, package: &str) -> Result<bool, Failure> {
        let mut tx = self.maker.env.db.begin("push::close").await?;
        let closed = packages::close(&mut tx, package, self.maker.env.now()).await?;
        tx.commit().await?;
        Ok(closed)
    }

    async fn put_off(&self, package: &PackageRow, failed: &Failed) -> Result<(), Failure> {
        let wait = self.wait(package.receipts_tries + 1).max(failed.retry_after.unwrap_or_default());
        let at = self.maker.env.now().plus(wait);
        self.set_receipts(&package.id, package.receipts_after.as_deref(), at, package.receipts_tries + 1).await
    }

    async fn schedule(&self, package: &str, after: Option<&str>, tries: i64) -> Result<(), Failure> {
        let at = self.maker.env.now().plus(self.wait(tries));
        self.set_receipts(package, after, at, tries).await
    }

    async fn set_receipts(&self, package: &str, after: Option<&str>, at: Timestamp, tries: i64) -> Result<(), Failure> {
        let mut tx = self.maker.env.db.begin("push::set_receipts").await?;
        packages::set_receipts(&mut tx, package, after, at, tries).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The wait before receipts are read again, after so many readings without anything new.
    fn wait(&self, tries: i64) -> Duration {
        let doubled = u32::try_from(tries.clamp(0, 16)).unwrap_or(16);
        self.timing.receipts.saturating_mul(1 << doubled).min(self.timing.longest_receipts)
    }
}

/// Counts answers that were committed.
pub(super) fn count(platform: &str, (accepted, rejected): (u64, u64)) {
    for (verdict, number) in [("accepted", accepted), ("rejected", rejected)] {
        let platform = platform.to_owned();
        metrics::counter!("medcredit_push_answers_total", "platform" => platform, "verdict" => verdict)
            .increment(number);
    }
}
