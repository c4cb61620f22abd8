//! Delivery as files in a folder: a local directory, which the receiver's machine mounts or fetches, or one on a server of SFTP
//! (`sftp`).
//!
//! A package becomes two files, whatever the number of its pages:
//!
//! - `<source>_<dataset>_<yyyymmddHHMMSS>_<package>.csv|xml|ndjson`, the data. The time is that of the package, in UTC+8.
//! - The same name with `.manifest.json`, in UTF-8, which comes last: a receiver that waits for it never reads a part of the data.
//!
//! ```json
//! {"format": "medcredit-file/1", "source": "330300-ybj", "platform": "city-credit", "package": 12, "dataset": "grades",
//!  "period": "2026-H1", "made_at": "2026-07-20T02:00:00Z", "digest": "<SHA-256 of the package, hex>",
//!  "file": "330300-ybj_grades_20260720100000_12.csv", "encoding": "UTF-8", "rows": 2, "bytes": 180, "sha256": "<of the file, hex>"}
//! ```
//!
//! - CSV: RFC 4180 with a header; with [`FileForm::record_columns`] the columns `record_id`, `version`, `operation` come
//!   first. What a spreadsheet would take for a formula gets an apostrophe in front.
//! - XML: `ExchangeMessage` with a `Header`, and a `Body` of one `fields` element for each row, whose children are the fields.
//! - NDJSON: one object a line, as in the pages over HTTPS.
//!
//! The receiver answers in `receipts/` with files whose names begin with that of the data file up to its extension, and end in
//! `.csv` or `.ndjson`; it may list what it holds in `inventory.csv` or `inventory.ndjson` there.
//!
//! Pages and unfinished files are in `.medcredit`, below the directory. Everything is written under a temporary name, synced
//! and renamed, so that a repeated attempt after a crash at any point leaves one data file and one manifest, with the same bytes.
//! A receiver may take the files away as soon as the manifest is there: a later attempt does not write them again.

mod disk;
mod listing;
mod manifest;
mod names;
mod package;
mod part;
mod render;
mod sftp;

use std::{path::PathBuf, sync::Arc};

pub use disk::{DiskFaults, DiskStep};

use self::{
    listing::{Answers, Listing},
    names::FileNames,
    package::PackageFiles,
    render::render,
    sftp::{Remote, create_stage},
};
use super::{Answer, Carrier, Delivery, Failed, FailureReason, Held, Listed, PackageHead, RowReceipt, verdict::Entry};
use crate::{
    outbox::Receipt,
    push::platform::{FileForm, FileNamePart, SftpSettings},
};

/// Where files go, and in which form.
#[derive(Debug)]
struct Target {
    /// An existing directory: it is not created, so that nothing is written below a mount that is missing.
    directory: PathBuf,
    /// The name of the sender, with which file names begin.
    source: FileNamePart,
    form: FileForm,
}

/// Carries packages to a directory.
#[derive(Debug, Clone)]
pub struct FileDrop {
    target: Arc<Target>,
    /// The server that the files are brought to, where they do not stay in the directory.
    remote: Option<Arc<Remote>>,
    faults: DiskFaults,
}

impl FileDrop {
    /// A carrier to a directory; file names begin with `source`.
    pub fn new(directory: PathBuf, source: FileNamePart, form: FileForm) -> Self {
        Self { target: Arc::new(Target { directory, source, form }), remote: None, faults: DiskFaults::default() }
    }

    /// A carrier to a server of SFTP. Packages are completed in a directory of our own, which is created. None where the host key
    /// is not one.
    pub fn to_server(stage: PathBuf, source: FileNamePart, form: FileForm, settings: SftpSettings) -> Option<Self> {
        let remote = Some(Arc::new(Remote::new(settings)?));
        Some(Self { remote, ..Self::new(stage, source, form) })
    }

    /// The same, with interruptions for tests.
    #[must_use]
    pub fn with_faults(self, faults: DiskFaults) -> Self {
        Self { faults, ..self }
    }

    async fn write(&self, of: &Delivery<'_>) -> Result<Receipt, Failed> {
        of.check()?;
        let names = FileNames::of(&self.target, of.package)?;
        let part = render(&self.target, of)?;
        let (head, page, carrier, of_package) = (of.package.clone(), of.page, self.clone(), names.clone());
        let receipt = apart(move || {
            if carrier.remote.is_some() {
                create_stage(&carrier.target)?;
            }
            PackageFiles::open(&carrier.target, &carrier.faults, &names, &head)?.deliver(page, &part)
        });
        let receipt = receipt.await?;
        // With its number, the package is complete.
        if let Some(remote) = self.remote.as_ref().filter(|_| receipt.number.is_some()) {
            remote.publish(&of_package, &self.faults).await?;
        }
        Ok(receipt)
    }

    /// A page of the receiver's answers.
    async fn read<T: Send + 'static>(
        &self,
        answers: Answers,
        after: Option<&str>,
        read: fn(&Entry) -> Result<T, String>,
    ) -> Result<Listed<T>, Failed> {
        if let Some(remote) = &self.remote {
            create_stage(&self.target)?;
            // Once for a list: its pages are of the same files.
            if after.is_none() {
                remote.mirror(&self.target, &answers).await?;
            }
        }
        let (target, after) = (Arc::clone(&self.target), after.map(str::to_owned));
        apart(move || Listing::find(&target, &answers)?.page(after.as_deref(), read)).await
    }
}

/// Runs file operations, which may block for long, on a thread of their own.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failed> + Send + 'static) -> Result<T, Failed> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failed::passing(FailureReason::Disk, format!("a file operation failed: {error}"))))
}

impl Carrier for FileDrop {
    fn deliver<'a>(&'a self, of: &'a Delivery<'a>) -> Answer<'a, Receipt> {
        Box::pin(self.write(of))
    }

    fn receipts<'a>(&'a self, of: &'a PackageHead, after: Option<&'a str>) -> Answer<'a, Listed<RowReceipt>> {
        Box::pin(async move {
            let names = FileNames::of(&self.target, of)?;
            self.read(Answers::Of(names.stem), after, Entry::receipt).await
        })
    }

    fn inventory<'a>(&'a self, after: Option<&'a str>) -> Answer<'a, Listed<Held>> {
        Box::pin(self.read(Answers::Inventory, after, Entry::held))
    }
}
