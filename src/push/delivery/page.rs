//! Delivers one page: judges its rows again, sends it, and reports to the outbox.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Deliveries, Target};
use crate::{
    domain::{Failure, Timestamp, error_chain, ids::OutboxId},
    outbox::{FailedAttempt, Lease, Outcome, Receipt},
    push::{
        PushError,
        carrier::{Delivery, Failed, PackageHead, Row},
        grades::admission,
        making::{NotSent, Occasion, PageBody, lock_of},
        platform::{Admission, Content, GradeValue, Platform},
    },
    store::{
        push::{
            packages::{self, PackageRow},
            rows::{self, SentRow},
        },
        subjects,
    },
};

/// The body of an outbox item.
#[derive(Debug, Deserialize)]
struct Item {
    package: String,
    page: i64,
}

/// How an attempt to deliver a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageOutcome {
    Delivered,
    /// It is tried again, not before this time.
    Retry(Timestamp),
    /// It is given up: an operator must act.
    Dead,
    /// Another worker has it.
    Lost,
}

/// A page after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredPage {
    pub package: String,
    pub rows: u64,
    /// Rows that the platform may no longer have.
    pub withheld: u64,
    pub outcome: PageOutcome,
    /// What went wrong, in words.
    pub failed: Option<String>,
    /// Whether the failure may have to do with the platform, and not with this page.
    pub is_of_platform: bool,
}

/// A page that is ready to be sent.
struct Ready {
    head: PackageHead,
    rows: Vec<Row>,
    withheld: u64,
}

impl Deliveries {
    /// Makes an attempt for a leased page.
    pub(super) async fn deliver_page(&self, target: &Target, lease: Lease) -> Result<DeliveredPage, Failure> {
        let item: Item = match serde_json::from_str(&lease.body) {
            Ok(item) => item,
            Err(error) => return self.give_up(lease, String::new(), format!("the item cannot be read: {error}")).await,
        };
        // An earlier attempt may have brought its rows there, whatever became of the answer.
        let may_have_left = lease.attempt > 1;
        let ready = match self.prepare(&target.platform, &item, may_have_left).await {
            Ok(ready) => ready,
            Err(PushError::Form(why)) => return self.give_up(lease, item.package, why).await,
            Err(error) => return Err(Failure::internal(error_chain(&error))),
        };
        let (page, count) = (u32::try_from(item.page).unwrap_or(0), ready.rows.len());
        let mut done = DeliveredPage {
            package: item.package,
            rows: u64::try_from(count).unwrap_or(u64::MAX),
            withheld: ready.withheld,
            outcome: PageOutcome::Lost,
            failed: None,
            is_of_platform: false,
        };
        // Another worker may have it already, whatever the clock shows.
        if lease.is_over(&*self.maker.env.clock) {
            return Ok(done);
        }
        let key = key(&lease.id, ready.withheld);
        let delivery = Delivery { package: &ready.head, page, key: &key, rows: &ready.rows };
        match target.carrier.deliver(&delivery).await {
            Ok(receipt) => self.report_success(lease, &receipt, &mut done).await?,
            Err(failed) => self.report_failure(lease, failed, &mut done).await?,
        }
        Ok(done)
    }

    async fn report_success(&self, lease: Lease, receipt: &Receipt, done: &mut DeliveredPage) -> Result<(), Failure> {
        done.outcome = outcome(self.outbox.delivered(lease, receipt).await?);
        Ok(())
    }

    async fn report_failure(&self, lease: Lease, failed: Failed, done: &mut DeliveredPage) -> Result<(), Failure> {
        // A page that is refused for good says nothing about the next one.
        done.is_of_platform = !failed.permanent;
        done.failed = Some(failed.detail.clone());
        done.outcome = outcome(self.outbox.failed(lease, &failed.into()).await?);
        Ok(())
    }

    /// Gives up a page that can never be sent.
    async fn give_up(&self, lease: Lease, package: String, why: String) -> Result<DeliveredPage, Failure> {
        let receipt = Receipt { detail: Some(why.clone()), ..Receipt::default() };
        let failed = FailedAttempt { reason: "page", receipt, retry_after: None, permanent: true };
        let outcome = outcome(self.outbox.failed(lease, &failed).await?);
        Ok(DeliveredPage { package, rows: 0, withheld: 0, outcome, failed: Some(why), is_of_platform: false })
    }

    /// Reads a page, and withholds what the platform may no longer have.
    async fn prepare(&self, platform: &Platform, item: &Item, may_have_left: bool) -> Result<Ready, PushError> {
        let during = || PushError::store("reading a page");
        let db = &self.maker.env.db;
        let Item { package, page } = item;
        let missing = || PushError::Form(format!("page {page} of {package} is not in the store"));
        let row = packages::find(&db.read("push::package"), package).await.map_err(during())?.ok_or_else(missing)?;
        let stored = packages::page(&db.read("push::page"), package, *page).await.map_err(during())?;
        let sent = rows::of_page(&db.read("push::of_page"), package, *page).await.map_err(during())?;
        let body: PageBody = serde_json::from_str(&stored.ok_or_else(missing)?.body)
            .map_err(|error| PushError::Form(format!("page {page} of {package} cannot be read: {error}")))?;
        let mut rows = body.into_rows();
        let named = named(platform, &rows);
        let withheld = self.withhold(platform, &row, &sent, &named, may_have_left).await?;
        if !withheld.is_empty() {
            rows.retain(|row| withheld.get(row.record_id.as_str()) != Some(&row.version));
        }
        let withheld = u64::try_from(withheld.len()).unwrap_or(u64::MAX);
        Ok(Ready { head: head(row), rows, withheld })
    }

    /// Withholds the rows of a page that the platform may no longer have (I4). Returns all that are withheld, by record.
    async fn withhold<'t>(
        &self,
        platform: &Platform,
        package: &PackageRow,
        sent: &'t [SentRow],
        named: &BTreeSet<String>,
        may_have_left: bool,
    ) -> Result<BTreeMap<&'t str, i64>, PushError> {
        let during = || PushError::store("judging the rows of a page again");
        let mut withheld: BTreeMap<&str, i64> = BTreeMap::new();
        let former = sent.iter().filter(|row| matches!(row.state.as_str(), "withheld" | "recalled"));
        withheld.extend(former.map(|row| (row.record_id.as_str(), row.version)));
        // A withdrawal may always be sent.
        let open: Vec<&SentRow> =
            sent.iter().filter(|row| row.state == "open" && row.operation != "D" && row.code.is_some()).collect();
        let codes: Vec<&str> = open.iter().filter_map(|row| row.code.as_deref()).collect();
        if codes.is_empty() {
            return Ok(withheld);
        }
        let env = &self.maker.env;
        let files = subjects::list(&env.db.read("push::files"), &codes).await.map_err(during())?;
        let files: BTreeMap<&str, _> = files.iter().map(|file| (file.code.as_str(), file)).collect();
        let kind = package.kind.as_deref().and_then(|kind| self.maker.kinds().find(kind));
        let is_named = package.kind.as_ref().is_none_or(|kind| platform.kinds.contains(kind));
        let mut now = Vec::new();
        for row in open {
            let file = row.code.as_deref().and_then(|code| files.get(code));
            let because = match file.filter(|_| is_named).map(|file| admission(platform, kind, file)) {
                Some(Admission::LeftOut(why)) => NotSent::from(why),
                None if !is_named => NotSent::KindNotNamed,
                None => NotSent::Unregistered,
                // The row has the name of a subject that became a natural person's since.
                Some(Admission::CodeOnly) if named.contains(&row.record_id) => NotSent::NaturalPerson,
                Some(Admission::CodeOnly | Admission::Named) => continue,
            };
            withheld.insert(&row.record_id, row.version);
            let state = if may_have_left { "recalled" } else { "withheld" };
            now.push(json!([row.record_id, row.version, because, state]));
        }
        if !now.is_empty() {
            // Committed before anything is sent: after a crash the same rows are withheld, under the same key.
            let mut tx = env.db.begin("push::withhold").await.map_err(during())?;
            tx.lock_names(&[lock_of(&platform.id)]).await.map_err(during())?;
            rows::withhold(&mut tx, &platform.id, Value::from(now).to_string(), env.now()).await.map_err(during())?;
            if let Some(run) = package.run_id.as_ref().filter(|_| !is_named) {
                // Or a file that names the kind again would find the round compared already.
                let occasion = Occasion::Withheld(run.clone()).to_string();
                packages::set_made(&mut tx, &platform.id, "grades", &occasion, env.now()).await.map_err(during())?;
            }
            tx.commit().await.map_err(during())?;
        }
        Ok(withheld)
    }
}

/// The records of a page whose rows have a name or a unified social credit code.
fn named(platform: &Platform, rows: &[Row]) -> BTreeSet<String> {
    let fields = platform.grades.iter().flat_map(|grades| &grades.fields);
    let naming: BTreeSet<&str> = fields
        .filter(|field| matches!(field.content, Content::Value(GradeValue::Name | GradeValue::Uscc)))
        .map(|field| field.name.as_str())
        .collect();
    let has_one = |row: &&Row| row.fields.iter().any(|(name, text)| !text.is_empty() && naming.contains(&**name));
    rows.iter().filter(has_one).map(|row| row.record_id.clone()).collect()
}

/// The idempotency key of a page: the same for the same bytes. Rows are withheld one after the other and never come back, so that
/// their number says which.
fn key(item: &OutboxId, withheld: u64) -> String {
    if withheld == 0 { item.to_string() } else { format!("{item}-{withheld}") }
}

const fn outcome(outcome: Outcome) -> PageOutcome {
    match outcome {
        Outcome::Delivered => PageOutcome::Delivered,
        Outcome::Retry(at) => PageOutcome::Retry(at),
        Outcome::Dead => PageOutcome::Dead,
        Outcome::LeaseLost => PageOutcome::Lost,
    }
}

/// A package as carriers know it.
pub(super) fn head(row: PackageRow) -> PackageHead {
    PackageHead {
        platform: row.platform,
        number: row.number,
        dataset: row.dataset,
        period: row.period,
        digest: row.digest,
        made_at: Timestamp::from_micros(row.made_at),
        rows: u64::try_from(row.row_count).unwrap_or_default(),
        pages: u32::try_from(row.page_count).unwrap_or_default(),
    }
}
