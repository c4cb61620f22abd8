//! Carriers of packages: over HTTPS to a receiver of our own on loopback, and as files in a directory.

mod answers;
mod certificates;
mod connections;
mod directory;
mod documents;
mod exchange;
mod files;
mod interrupted;
mod open;
mod pages;
mod sftp;
pub mod sink;

use medcredit::{
    domain::Timestamp,
    push::{
        carrier::{PackageHead, Row},
        platform::Operation,
    },
};

use crate::support::pki::NOW;

/// The head of a package.
fn package(pages: u32, rows: u64) -> PackageHead {
    PackageHead {
        platform: "city-credit".into(),
        number: 12,
        dataset: "grades".into(),
        period: "2026-H1".into(),
        digest: "ab".repeat(32),
        made_at: made_at(),
        rows,
        pages,
    }
}

/// When the package was made: some time before it is delivered.
const fn made_at() -> Timestamp {
    Timestamp::from_seconds(NOW.seconds() - 90_000)
}

/// A row of some package, with a name and a grade.
fn row(number: u32) -> Row {
    let operation = [Operation::Insert, Operation::Update, Operation::Delete][number as usize % 3];
    Row {
        record_id: format!("run_1:H{number:05}"),
        version: i64::from(number % 3 + 1),
        operation,
        fields: vec![("主体名称".into(), format!("温州市第{number}医院")), ("PJDJ".into(), "A".into())],
    }
}

/// Rows with these numbers.
fn rows(numbers: std::ops::Range<u32>) -> Vec<Row> {
    numbers.map(row).collect()
}
