//! Delivery into the tables of a front-end exchange database (前置库), PostgreSQL or MariaDB.
//!
//! - A page is one transaction: its rows, and last the row of the control table, where the platform has one.
//! - Rows are inserted and read, never updated or deleted: a change is another row, I, U or D. The platform sets the switch when
//!   it has taken a row.
//! - The batch of a page has a name that stays the same in every attempt, `<platform>:<package>:<page>`. An attempt looks for it
//!   in the control table, or in the column `batch` of the rows, under a lock of that name: a page is there once.
//! - The platform's fields are text columns; an absent value is NULL.
//!
//! What the platform holds is read from the same table: the last version of each record that was not rejected and not withdrawn.

mod page;
mod table;
mod taken;

use self::{
    page::page_batch,
    table::DatasetTable,
    taken::{Reading, held, receipts},
};
use super::{Answer, Carrier, Delivery, Failed, FailureReason, Held, Listed, PackageHead, RowReceipt};
use crate::{
    domain::clock::SharedClock,
    outbox::Receipt,
    push::platform::{ExchangeSettings, Platform},
    store::exchange::{ExchangeDatabase, ExchangeError},
};

/// Carries packages to the tables of a database.
#[derive(Debug)]
pub struct Exchange {
    platform: String,
    settings: ExchangeSettings,
    tables: Vec<DatasetTable>,
    database: ExchangeDatabase,
    clock: SharedClock,
}

impl Exchange {
    /// A carrier to the tables of a platform, which is connected to at the first delivery. The error is a field that has no
    /// column.
    pub fn new(platform: &Platform, settings: ExchangeSettings, clock: SharedClock) -> Result<Self, String> {
        let tables = DatasetTable::of(platform, &settings)?;
        let database = ExchangeDatabase::new(settings.access.clone());
        Ok(Self { platform: platform.id.clone(), settings, tables, database, clock })
    }

    fn table(&self, package: &PackageHead) -> Result<&DatasetTable, Failed> {
        self.tables.iter().find(|table| table.has(&package.dataset)).ok_or_else(|| {
            let why = format!("the platform has no table for the dataset {}", package.dataset);
            Failed::permanent(FailureReason::Missing, why)
        })
    }

    fn failed(&self, table: &DatasetTable, error: &ExchangeError) -> Failed {
        let (reason, permanent) = match error {
            ExchangeError::UrlFile(_) | ExchangeError::Credentials(_) => (FailureReason::Credentials, false),
            ExchangeError::Name(_) => (FailureReason::Name, false),
            ExchangeError::Refused => (FailureReason::Refused, false),
            ExchangeError::Tls(_) => (FailureReason::Tls, false),
            ExchangeError::Timeout => (FailureReason::Timeout, false),
            ExchangeError::Closed(_) => (FailureReason::Closed, false),
            ExchangeError::Permission(_) => (FailureReason::Permission, false),
            ExchangeError::Missing(_) => (FailureReason::Missing, false),
            ExchangeError::Full(_) => (FailureReason::DiskFull, false),
            ExchangeError::Other(_) => (FailureReason::Database, false),
            ExchangeError::Duplicate(_) => (FailureReason::Conflict, true),
            ExchangeError::Value(_) => (FailureReason::Field, true),
        };
        let detail = format!("{} {}: {error}", self.settings.access.engine, table.name(&self.settings));
        Failed { permanent, ..Failed::passing(reason, detail) }
    }

    async fn insert(&self, of: &Delivery<'_>) -> Result<Receipt, Failed> {
        of.check()?;
        let table = self.table(of.package)?;
        let page = page_batch(&self.settings, table, of, self.clock.now())?;
        let found = self.database.write(&page.batch()).await.map_err(|error| self.failed(table, &error))?;
        page.check_found(&found)?;
        Ok(Receipt { number: Some(page.name.clone()), body_sha256: Some(page.digest.clone()), ..Receipt::default() })
    }

    fn reading(&self) -> Reading<'_> {
        Reading { database: &self.database, settings: &self.settings, platform: &self.platform }
    }
}

impl Carrier for Exchange {
    fn deliver<'a>(&'a self, of: &'a Delivery<'a>) -> Answer<'a, Receipt> {
        Box::pin(self.insert(of))
    }

    fn receipts<'a>(&'a self, of: &'a PackageHead, after: Option<&'a str>) -> Answer<'a, Listed<RowReceipt>> {
        Box::pin(async move {
            let table = self.table(of)?;
            receipts(&self.reading(), table, of, after).await.map_err(|error| self.failed(table, &error))
        })
    }

    fn inventory<'a>(&'a self, after: Option<&'a str>) -> Answer<'a, Listed<Held>> {
        Box::pin(async move {
            // The cursor is the number of the table, and the last record of the page before.
            let begin = match after.map(|after| after.split_once(':')) {
                None => Some((0, None)),
                Some(place) => place.and_then(|(at, record)| {
                    Some((at.parse::<usize>().ok()?, Some(record).filter(|record| !record.is_empty())))
                }),
            };
            let unknown = || Failed::permanent(FailureReason::Page, "the cursor is no place in this list");
            let (at, record) = begin.ok_or_else(unknown)?;
            let table = self.tables.get(at).ok_or_else(unknown)?;
            let page = held(&self.reading(), table, record).await.map_err(|error| self.failed(table, &error))?;
            let next = match page.next {
                Some(record) => Some(format!("{at}:{record}")),
                None => (at + 1 < self.tables.len()).then(|| format!("{}:", at + 1)),
            };
            Ok(Listed { next, ..page })
        })
    }
}
