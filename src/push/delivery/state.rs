//! What operators see of deliveries.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Deliveries, MOST_REJECTED};
use crate::{
    domain::{Failure, Timestamp},
    push::PushError,
    store::{
        DbError, Env, Read,
        push::{packages, platforms, rows},
    },
};

/// The most packages that a status shows.
const NEWEST: i64 = 20;
/// A package of a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageState {
    pub number: i64,
    pub id: String,
    /// `open` or `closed`.
    pub state: String,
    pub cause: String,
    pub dataset: String,
    pub period: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    pub rows: i64,
    /// Rows whose pages were delivered.
    pub sent: i64,
    pub accepted: i64,
    /// Rejected rows that nobody has resolved.
    pub rejected: i64,
    /// Rejected rows that a later version settled.
    pub resolved: i64,
    pub waived: i64,
    /// Rows that the platform may no longer have.
    pub withheld: i64,
    /// Pages that wait, are under way, or are tried again.
    pub pages_waiting: i64,
    /// Pages that were given up.
    pub pages_dead: i64,
    pub made_at: Timestamp,
    /// When every row should have been answered.
    pub due_at: Timestamp,
    /// Whether it is open after that.
    pub is_overdue: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

/// A platform with its packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlatformState {
    pub platform: String,
    pub name: String,
    pub carrier: &'static str,
    pub target: String,
    /// `working`, `failing`, `stopped` (the circuit breaker) or `paused`.
    pub state: &'static str,
    /// The rows of all its packages.
    pub sent: i64,
    pub accepted: i64,
    pub rejected: i64,
    pub waiting: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Nothing is delivered before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<Timestamp>,
    /// Latest first.
    pub packages: Vec<PackageState>,
}

/// A row that a platform rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRow {
    pub record_id: String,
    pub version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub package: i64,
    pub operation: String,
    /// R01 to R99.
    pub reason: String,
    /// The platform's own words, unverified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub rejected_at: Timestamp,
}

/// A page that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadPage {
    pub package: i64,
    pub page: i64,
    pub rows: i64,
    /// Why, in words.
    pub because: String,
}

/// A platform that has a version of a record of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    pub platform: String,
    pub record_id: String,
    pub version: i64,
    pub operation: String,
    /// `open` (not answered yet), `accepted`, `rejected`, `resolved`, `waived`, `withheld`, or `recalled` (it
    /// may have left before it was withheld).
    pub state: String,
    /// The last version that it accepted, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has: Option<i64>,
    /// Whether it holds the record, as far as its answers say.
    pub holds: bool,
}

impl Deliveries {
    /// A platform with its newest packages.
    pub async fn state(&self, platform: &str) -> Result<PlatformState, PushError> {
        let during = || PushError::store("reading the state of a platform");
        let target = self.target(platform)?;
        let env = &self.maker.env;
        let read = |name| env.db.read(name);
        let row = platforms::find(&read("push::platform"), platform).await.map_err(during())?;
        let counts = rows::of_platform(&read("push::rows_of_platform"), platform).await.map_err(during())?;
        let newest = packages::newest(&read("push::newest_packages"), platform, NEWEST).await.map_err(during())?;
        let mut listed = Vec::with_capacity(newest.len());
        for package in newest {
            listed
                .push(package_state(&env.db.read("push::package_state"), package, env.now()).await.map_err(during())?);
        }
        let open_until = row.as_ref().and_then(|row| row.open_until_at).map(Timestamp::from_micros);
        let state = match &row {
            Some(row) if row.paused_at.is_some() => "paused",
            _ if open_until.is_some() => "stopped",
            Some(row) if row.failures > 0 => "failing",
            _ => "working",
        };
        let paused = row.as_ref().filter(|row| row.paused_at.is_some()).map(|row| {
            let by = row.paused_by.as_deref().unwrap_or_default();
            format!("by {by}: {}", row.pause_reason.as_deref().unwrap_or_default())
        });
        Ok(PlatformState {
            platform: platform.to_owned(),
            name: target.platform.name_zh.clone(),
            carrier: target.platform.carrier.name(),
            target: target.platform.carrier.target(),
            state,
            sent: counts.sent,
            accepted: counts.accepted,
            rejected: counts.rejected,
            waiting: counts.open,
            paused,
            stopped_until: open_until,
            last_error_at: row.as_ref().and_then(|row| row.last_error_at).map(Timestamp::from_micros),
            last_error: row.and_then(|row| row.last_error),
            packages: listed,
        })
    }

    /// The rows that a platform rejected and nobody has resolved.
    pub async fn rejected(&self, platform: &str) -> Result<Vec<RejectedRow>, PushError> {
        let during = || PushError::store("listing the rejected rows");
        self.target(platform)?;
        let db = &self.maker.env.db;
        let listed = rows::rejected(&db.read("push::rejected"), platform, MOST_REJECTED).await.map_err(during())?;
        let mut numbers = BTreeMap::new();
        let mut rejected = Vec::with_capacity(listed.len());
        for row in listed {
            let package = if let Some(number) = numbers.get(&row.package_id) {
                *number
            } else {
                let found = packages::find(&db.read("push::package"), &row.package_id).await.map_err(during())?;
                let number = found.map_or(0, |package| package.number);
                numbers.insert(row.package_id.clone(), number);
                number
            };
            rejected.push(RejectedRow {
                record_id: row.record_id,
                version: row.version,
                code: row.code,
                package,
                operation: row.operation,
                reason: row.reason.unwrap_or_default(),
                note: row.note,
                rejected_at: Timestamp::from_micros(row.decided_at.unwrap_or_default()),
            });
        }
        Ok(rejected)
    }

    /// The pages of a platform that were given up.
    pub async fn dead_pages(&self, platform: &str) -> Result<Vec<DeadPage>, PushError> {
        self.target(platform)?;
        let dead = packages::dead_pages(&self.maker.env.db.read("push::dead_pages"), platform).await;
        let dead = dead.map_err(PushError::store("listing the pages that were given up"))?;
        Ok(dead
            .into_iter()
            .map(|row| {
                let receipt =
                    row.receipt.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
                let detail = receipt.as_ref().and_then(|receipt| receipt.get("detail")).and_then(|text| text.as_str());
                let because = detail.map(str::to_owned).or(row.outcome).unwrap_or_default();
                DeadPage { package: row.number, page: row.page, rows: row.rows, because }
            })
            .collect())
    }
}

/// Who holds which version of a subject's records: every platform that was ever sent, also those that get nothing any more.
pub async fn holders(env: &Env, code: &str) -> Result<Vec<Holder>, Failure> {
    let sent = rows::of_subject(&env.db.read("push::of_subject"), code).await?;
    let mut holders: Vec<Holder> = Vec::new();
    for row in sent {
        let same = holders.last().is_some_and(|last| last.platform == row.platform && last.record_id == row.record_id);
        let former = if same { holders.pop() } else { None };
        let mut holder = Holder {
            holds: former.as_ref().is_some_and(|former| former.holds),
            has: former.and_then(|former| former.has),
            platform: row.platform,
            record_id: row.record_id,
            version: row.version,
            operation: row.operation,
            state: row.state,
        };
        if holder.state == "accepted" {
            holder.has = Some(holder.version);
        }
        if matches!(holder.state.as_str(), "accepted" | "open" | "recalled") {
            holder.holds = holder.operation != "D";
        }
        holders.push(holder);
    }
    for holder in &mut holders {
        holder.has = holder.has.filter(|version| *version != holder.version);
    }
    Ok(holders)
}

async fn package_state(
    read: &Read<'_>,
    package: packages::PackageRow,
    now: Timestamp,
) -> Result<PackageState, DbError> {
    let pages = packages::page_states(read, &package.id).await?;
    let states = rows::states(read, &package.id).await?;
    let rows = |state: &str| states.iter().find(|row| row.state == state).map_or(0, |row| row.rows);
    let in_pages =
        |wanted: &[&str]| pages.iter().filter(|row| wanted.contains(&row.state.as_str())).map(|row| row.pages).sum();
    let (due_at, is_open) = (Timestamp::from_micros(package.due_at), package.state == "open");
    let delivered: i64 = pages.iter().filter(|row| row.state == "delivered").map(|row| row.rows).sum();
    let withheld = rows("withheld") + rows("recalled");
    let (waiting, dead): (i64, i64) = (in_pages(&["queued", "leased", "retry"]), in_pages(&["dead"]));
    Ok(PackageState {
        number: package.number,
        state: package.state,
        cause: package.cause,
        dataset: package.dataset,
        period: package.period,
        run: package.run_id,
        rows: package.row_count,
        sent: if is_open { delivered.min(package.row_count - withheld) } else { package.row_count - withheld },
        accepted: rows("accepted"),
        rejected: rows("rejected"),
        resolved: rows("resolved"),
        waived: rows("waived"),
        withheld,
        pages_waiting: waiting,
        pages_dead: dead,
        made_at: Timestamp::from_micros(package.made_at),
        due_at,
        is_overdue: is_open && due_at < now,
        closed_at: package.closed_at.map(Timestamp::from_micros),
        id: package.id,
    })
}
