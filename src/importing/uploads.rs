//! Files that departments' systems upload: held in memory, bounded in size, imported one at a time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::Mutex;

use super::{Format, ImportError, Importer, Input, Options, Outcome, Sender, Template, UploadReport};
use crate::{
    domain::{Failure, FailureKind, error_chain, ids::ClientId},
    store::imports,
};

/// Interval and number of retries while another process is importing.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
const RETRIES: u32 = 50;

/// Longest wait for the other uploads of this process.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// A file to import.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The client that sends it.
    pub sender: Sender,
    /// The template it follows.
    pub template: Template,
    /// Its file format.
    pub format: Format,
    /// The sender's import that it replaces, by its id.
    pub replaces: Option<String>,
    /// The whole file.
    pub bytes: Bytes,
}

/// Result of an upload.
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// The report for its sender.
    pub report: UploadReport,
    /// Whether the same file was accepted before.
    pub recognised: bool,
}

/// Imports uploads.
#[derive(Debug, Clone)]
pub struct Uploads {
    importer: Importer,
    most_rows: u64,
    /// Serializes the uploads of this process in their order of arrival.
    queue: Arc<Mutex<()>>,
}

impl Uploads {
    /// Imports files of up to `most_rows` rows.
    pub fn new(importer: Importer, most_rows: u64) -> Self {
        Self { importer, most_rows, queue: Arc::default() }
    }

    /// Imports a file. Runs to its end even when the sender disconnects: a repeated upload is then recognised.
    pub async fn import(&self, upload: Upload) -> Result<Uploaded, Failure> {
        let this = self.clone();
        // A task of its own: dropping the request must not stop an import halfway.
        let done = tokio::spawn(async move { this.import_in_turn(upload).await }).await;
        done.map_err(|error| Failure::internal(format!("an upload did not end: {error}")))?
    }

    async fn import_in_turn(&self, upload: Upload) -> Result<Uploaded, Failure> {
        let Upload { sender, template, format, replaces, bytes } = upload;
        let client = sender.client;
        let options = Options {
            format: Some(format),
            sender: Some(sender),
            replaces,
            most_rows: Some(self.most_rows),
            ..Options::default()
        };
        let input = Input::Memory { name: format!("{template} from {client}"), bytes };
        // Waits in the order of arrival, before the retries below compete with other processes.
        let queued = tokio::time::timeout(QUEUE_TIMEOUT, self.queue.lock()).await;
        let _turn = queued.map_err(|_| busy())?;
        let mut retries = 0;
        let report = loop {
            match self.importer.import_from(template, &input, &options, &mut |_| {}).await {
                // Another process holds the lock of imports; most files take less than a second.
                Err(ImportError::Busy) if retries < RETRIES => {
                    retries += 1;
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                outcome => break outcome.map_err(|error| failure(&error))?,
            }
        };
        let recognised = report.outcome == Outcome::Recognised;
        let id = report.import_id.clone().unwrap_or_default();
        let stored = self.report(client, &id).await;
        // The stored report may have expired meanwhile; its counts are still known.
        let report = stored.unwrap_or_else(|_| UploadReport::of(&report, report.outcome, &report.listed));
        Ok(Uploaded { report, recognised })
    }

    /// The stored report of a client's own import.
    pub async fn report(&self, client: ClientId, import: &str) -> Result<UploadReport, Failure> {
        let read = self.importer.env.db.read("imports::report");
        let body = imports::report(&read, import, &client.to_string()).await?;
        let body = body.ok_or_else(|| {
            Failure::not_found("import_not_found", "You have no such import, or its report has expired.")
        })?;
        serde_json::from_str(&body).map_err(|error| Failure::internal(format!("a report is not JSON: {error}")))
    }

    /// Deletes reports older than `retention`.
    pub async fn delete_expired_reports(&self, retention: Duration) -> Result<u64, Failure> {
        let mut tx = self.importer.env.db.begin("imports::delete_reports").await?;
        let deleted = imports::delete_reports(&mut tx, self.importer.env.clock.now().minus(retention)).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}

fn busy() -> Failure {
    let mut failure = Failure::unavailable("imports_busy", "another import is running in this store");
    failure.public = "Another import is running. Deliver it again shortly.".into();
    failure.kind = FailureKind::Unavailable { retry_after: Duration::from_secs(5) };
    failure
}

/// An import error as the failure its sender receives.
fn failure(error: &ImportError) -> Failure {
    let unprocessable = |code| Failure::new(FailureKind::Unprocessable, code, format!("Nothing was taken: {error}."));
    match error {
        ImportError::Busy => busy(),
        ImportError::Header { .. } => unprocessable("file_columns"),
        ImportError::TooManyRows { .. } => unprocessable("too_many_rows"),
        ImportError::EmptyFile
        | ImportError::HeaderNotUtf8
        | ImportError::HeaderNotDecodable
        | ImportError::EncodingUnclear
        | ImportError::EncodingUnknown
        | ImportError::NotText
        | ImportError::WebPage
        | ImportError::Workbook(_)
        | ImportError::WorkbookLocked
        | ImportError::WorkbookTooLarge { .. }
        | ImportError::SheetUnknown { .. }
        | ImportError::OpenQuote { .. }
        | ImportError::LooksLikeGb18030
        | ImportError::LooksLikeUtf8
        | ImportError::RowTooLong { .. }
        | ImportError::Csv(_)
        | ImportError::NoParquet
        | ImportError::Parquet(_) => unprocessable("file_unreadable"),
        ImportError::Replaces(_) => unprocessable("replaces_unknown"),
        ImportError::FewerAccepted { .. } => unprocessable("fewer_rows"),
        ImportError::KnownFromOthers => Failure::new(
            FailureKind::Conflict,
            "file_known",
            "Another sender's import already has this file. Nothing was taken, and there is nothing to do.",
        ),
        ImportError::SenderEnded => {
            Failure::unavailable("state_moving", "the sender was suspended while its file was read")
        }
        ImportError::Store { .. } | ImportError::Ledger(_) => {
            Failure::unavailable("store_unavailable", error_chain(error))
        }
        _ => Failure::internal(error_chain(error)),
    }
}
