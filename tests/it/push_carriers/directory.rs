//! A directory of a receiver, as a file carrier writes it and as a receiver sees it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use medcredit::{
    outbox::Receipt,
    push::{
        carrier::{
            Carrier as _, Delivery, Failed, PackageHead, Row,
            file::{DiskFaults, FileDrop},
        },
        platform::{Encoding, FileForm, Format},
    },
};

/// What the data file of the tests' package is called, without its extension: the time is that of the city.
pub const STEM: &str = "330300-ybj_grades_20260331080000_12";

/// A directory of a receiver.
#[derive(Debug)]
pub struct Directory(tempfile::TempDir);

impl Directory {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A carrier of a format.
    pub fn carrier_of(&self, format: Format, encoding: Encoding) -> FileDrop {
        let form = FileForm { format, encoding, record_columns: true };
        FileDrop::new(self.path().to_owned(), "330300-ybj".parse().unwrap(), form)
    }

    /// A carrier of CSV in UTF-8.
    pub fn carrier(&self) -> FileDrop {
        self.carrier_of(Format::Csv, Encoding::Utf8)
    }

    pub fn carrier_with(&self, faults: DiskFaults) -> FileDrop {
        self.carrier().with_faults(faults)
    }

    /// The files that the receiver sees, with their content.
    pub fn seen(&self) -> BTreeMap<String, Vec<u8>> {
        files(self.path())
    }

    /// The names of the unfinished files, without the lock.
    pub fn unfinished(&self) -> Vec<String> {
        files(&self.join(".medcredit")).into_keys().filter(|name| name != "lock").collect()
    }

    /// Writes a file of the receiver into `receipts/`.
    pub fn answer(&self, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.join("receipts")).unwrap();
        std::fs::write(self.join("receipts").join(name), bytes).unwrap();
    }
}

fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

/// Delivers a page.
pub async fn page(carrier: &FileDrop, package: &PackageHead, page: u32, rows: &[Row]) -> Result<Receipt, Failed> {
    carrier.deliver(&Delivery { package, page, key: &format!("obx_{page}"), rows }).await
}
