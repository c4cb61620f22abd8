//! Carriers: how the rows of a package reach a platform, and how its answers come back.
//!
//! A carrier is one implementation of [`Carrier`] in a file or a folder of its own: [`https`], [`mod@file`] and
//! [`exchange`]. It gets rows that
//! are already in the receiver's names and forms, and knows neither the store nor the ledger:
//!
//! - The caller delivers only packages that are recorded (I1), and judges again at the moment of sending what may leave (I4).
//! - Every attempt for the same page has the same [`Delivery::key`], and delivers the same bytes, so that a repeated attempt
//!   is harmless: delivery is at least once (I6).
//! - The pages of a package may arrive in any order. A carrier that closes a package, such as a manifest that comes last, does so
//!   when it has all pages. The last page is delivered only when the package is closed.
//!
//! docs/CARRIERS.md has the formats for the receiver's engineers.

mod digest;
pub mod exchange;
mod failed;
pub mod file;
pub mod https;
mod json;
mod open;
mod reason;
mod verdict;

use std::{fmt, pin::Pin, sync::Arc};

use super::platform::Operation;
use crate::{domain::Timestamp, outbox::Receipt};

pub use digest::{FieldsDigester, fields_digest};
pub use failed::{Failed, FailureReason};
pub use https::CurrentSigner;
pub use open::{CarrierContext, CarrierRefused, open};
pub use reason::RejectReason;
pub use verdict::read_receipts;

/// A row of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The record's id, the same in every version.
    pub record_id: String,
    /// The version of the record, from 1. The receiver ignores a version that is lower than the one it has.
    pub version: i64,
    pub operation: Operation,
    /// The fields in the receiver's own names and order, rendered. Rows of a page share their names.
    pub fields: Vec<(Arc<str>, String)>,
}

impl Row {
    /// Whether its fields have these names. They mostly are the very same, which is seen without reading them.
    pub(super) fn has_names(&self, names: &[Arc<str>]) -> bool {
        let is_same = |((name, _), other): (&(Arc<str>, String), &Arc<str>)| Arc::ptr_eq(name, other) || name == other;
        self.fields.len() == names.len() && self.fields.iter().zip(names).all(is_same)
    }

    /// The digest of the fields, as the receiver's inventory has it.
    pub fn digest(&self) -> String {
        FieldsDigester::default().digest(&self.fields)
    }
}

/// What all pages of a package have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageHead {
    /// The platform's id.
    pub platform: String,
    /// The number of the package for this platform.
    pub number: i64,
    /// The dataset, such as `grades`.
    pub dataset: String,
    /// The period, such as `2026-H1`.
    pub period: String,
    /// The digest of the package: hex SHA-256.
    pub digest: String,
    pub made_at: Timestamp,
    /// The number of rows in all pages.
    pub rows: u64,
    /// The number of pages, from 1.
    pub pages: u32,
}

/// A page of a package, to deliver.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    pub package: &'a PackageHead,
    /// The number of the page, from 1.
    pub page: u32,
    /// The idempotency key: the id of the outbox item, the same in every attempt.
    pub key: &'a str,
    pub rows: &'a [Row],
}

impl Delivery<'_> {
    /// Refuses a page that no carrier can deliver.
    fn check(&self) -> Result<(), Failed> {
        let PackageHead { number, pages, .. } = self.package;
        if self.page == 0 || self.page > *pages {
            let why = format!("package {number} has the pages 1 to {pages}, and no page {}", self.page);
            return Err(Failed::permanent(FailureReason::Page, why));
        }
        let mut checked: Vec<Arc<str>> = Vec::new();
        for row in self.rows {
            // Almost always the names of the row before.
            if row.has_names(&checked) {
                continue;
            }
            checked = row.fields.iter().map(|(name, _)| name.clone()).collect();
            for (at, (name, _)) in row.fields.iter().enumerate() {
                if row.fields[..at].iter().any(|(other, _)| other == name) {
                    let why = format!("record {} has the field {name} twice", row.record_id);
                    return Err(Failed::permanent(FailureReason::Field, why));
                }
            }
        }
        Ok(())
    }
}

/// What the receiver decided about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    Rejected {
        reason: RejectReason,
        /// The receiver's own words. Unverified: shown to operators only, with unprintable characters made visible.
        note: Option<String>,
    },
}

/// The receiver's answer about a row of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowReceipt {
    pub record_id: String,
    pub version: i64,
    pub verdict: Verdict,
}

/// A record that the receiver holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub record_id: String,
    pub version: i64,
    /// The digest of its fields, see [`Row::digest`].
    pub digest: String,
}

/// An entry of the receiver that cannot be read. The others of its page are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file and line, or the URL and the number of the entry.
    pub at: String,
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.problem)
    }
}

/// A page of what the receiver lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// In the receiver's order. An entry can occur more than once.
    pub entries: Vec<T>,
    pub faults: Vec<Fault>,
    /// Where the next page begins; none after the last one.
    pub next: Option<String>,
}

/// The outcome of a carrier's call.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failed>> + Send + 'a>>;

/// Carries packages to one platform. Calls may run at the same time.
pub trait Carrier: fmt::Debug + Send + Sync {
    /// Delivers a page.
    fn deliver<'a>(&'a self, of: &'a Delivery<'a>) -> Answer<'a, Receipt>;

    /// Reads the receiver's answers about the rows of a package; `after` is [`Listed::next`] of the page before. An empty
    /// page says that there is no answer yet. Answers about rows of other packages can be among them: a row is known by its
    /// record and version.
    fn receipts<'a>(&'a self, of: &'a PackageHead, after: Option<&'a str>) -> Answer<'a, Listed<RowReceipt>>;

    /// Reads what the receiver holds of us; `after` is [`Listed::next`] of the page before.
    fn inventory<'a>(&'a self, after: Option<&'a str>) -> Answer<'a, Listed<Held>>;
}
