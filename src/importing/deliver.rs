//! Files that departments' systems deliver over the network: in memory, of bounded size, one at a time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{Finding, Format, ImportError, Importer, Input, Options, Outcome, Report, Sender, Template, findings};
use crate::{
    domain::{Failure, FailureKind, error_chain, ids::ClientId},
    store::imports,
};

/// How often a delivery looks whether the import of another process has ended, and how many times.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const LOOKS: u32 = 50;

/// How long it waits for other deliveries of this process.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file on its way in.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Who delivers it.
    pub sender: Sender,
    /// The template it follows.
    pub template: Template,
    /// What kind of file it is.
    pub format: Format,
    /// All of it.
    pub bytes: Bytes,
}

/// A finding as the sender is told of it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListedFinding {
    /// The row, counted as the lines of a CSV file: the first behind the header is 2.
    #[schema(example = 7)]
    row: u64,
    /// The column; empty where it is about the whole row.
    #[schema(example = "value")]
    column: String,
    /// A stable code; docs/IMPORT.md explains each.
    #[schema(example = "value_malformed")]
    code: String,
    /// `reject`: the row was not taken. `warning`: it was, and a person should look at it.
    #[schema(example = "reject")]
    severity: String,
    /// The same in words.
    #[schema(example = "\"1,5\" is not a number with up to four decimals")]
    message: String,
}

impl From<&Finding> for ListedFinding {
    fn from(finding: &Finding) -> Self {
        Self {
            row: finding.line,
            column: finding.column.to_owned(),
            code: finding.code.as_str().to_owned(),
            severity: finding.severity.as_str().to_owned(),
            message: finding.message.clone(),
        }
    }
}

/// What a sender is told of its delivery.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeliveryReport {
    /// The import.
    #[schema(example = "imp_06fzgv9a41wdkxs8q2e7mtb3rc")]
    pub id: String,
    /// The template.
    #[schema(example = "records")]
    template: String,
    /// `accepted`: its rows count. `nothing_taken`: no row could be taken, and it may be delivered again.
    #[schema(example = "accepted")]
    pub status: String,
    /// The SHA-256 of what was delivered, hex. The same again is answered with the same import.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    sha256: String,
    /// Rows delivered.
    #[schema(example = 1000)]
    rows: u64,
    /// Rows taken.
    #[schema(example = 998)]
    accepted: u64,
    /// Rows not taken.
    #[schema(example = 2)]
    rejected: u64,
    /// How many findings there were, by code.
    #[schema(example = json!({"value_malformed": 2}))]
    findings: BTreeMap<String, u64>,
    /// The first thousand of them.
    listed: Vec<ListedFinding>,
    /// Whether there were more than are listed.
    #[schema(example = false)]
    more: bool,
}

impl DeliveryReport {
    pub(super) fn of(report: &Report, outcome: Outcome, listed: &[Finding]) -> Self {
        let nothing = outcome == Outcome::NothingTaken;
        Self {
            id: report.import_id.clone().unwrap_or_default(),
            template: report.template.to_string(),
            status: if nothing { "nothing_taken" } else { "accepted" }.to_owned(),
            sha256: report.sha256.clone(),
            rows: report.rows,
            accepted: report.accepted,
            rejected: report.rejected,
            findings: report.findings.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect(),
            listed: listed.iter().map(ListedFinding::from).collect(),
            more: report.findings.values().sum::<u64>() > u64::try_from(findings::MOST_LISTED).unwrap_or(u64::MAX),
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// What its sender is told.
    pub report: DeliveryReport,
    /// Whether the very same was delivered before.
    pub recognised: bool,
}

/// Takes deliveries.
#[derive(Debug, Clone)]
pub struct Uploads {
    importer: Importer,
    most_rows: u64,
    /// Uploads of this process come one after the other, in the order in which they arrived.
    turn: Arc<Mutex<()>>,
}

impl Uploads {
    /// Takes files of up to `most_rows` rows.
    pub fn new(importer: Importer, most_rows: u64) -> Self {
        Self { importer, most_rows, turn: Arc::default() }
    }

    /// Imports a file. Once begun it goes on to its end, whether or not its sender still waits: delivered again, it is then
    /// recognised.
    pub async fn deliver(&self, delivery: Delivery) -> Result<Delivered, Failure> {
        let this = self.clone();
        let done = tokio::spawn(async move { this.import(delivery).await }).await;
        done.map_err(|error| Failure::internal(format!("a delivery did not end: {error}")))?
    }

    async fn import(&self, delivery: Delivery) -> Result<Delivered, Failure> {
        let Delivery { sender, template, format, bytes } = delivery;
        let client = sender.client;
        let options = Options {
            format: Some(format),
            sender: Some(sender),
            most_rows: Some(self.most_rows),
            ..Options::default()
        };
        let input = Input::Memory { name: format!("{template} from {client}"), bytes };
        let turn = tokio::time::timeout(PATIENCE, self.turn.lock()).await;
        let _turn = turn.map_err(|_| busy())?;
        let mut looks = 0;
        let report = loop {
            match self.importer.import_from(template, &input, &options, &mut |_| {}).await {
                Err(ImportError::Busy) if looks < LOOKS => {
                    looks += 1;
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                outcome => break outcome.map_err(|error| failure(&error))?,
            }
        };
        let recognised = report.outcome == Outcome::Recognised;
        let id = report.import_id.clone().unwrap_or_default();
        let told = match self.report(client, &id).await {
            Ok(told) => told,
            // Forgotten meanwhile: its counts are still known.
            Err(_) => DeliveryReport::of(&report, report.outcome, &report.listed),
        };
        Ok(Delivered { report: told, recognised })
    }

    /// What a client was told of an import of its own.
    pub async fn report(&self, client: ClientId, import: &str) -> Result<DeliveryReport, Failure> {
        let read = self.importer.env.db.read("imports::report");
        let body = imports::report(&read, import, &client.to_string()).await?;
        let body = body.ok_or_else(|| {
            Failure::not_found(
                "import_not_found",
                "There is no such import of yours, or its report was kept long enough.",
            )
        })?;
        serde_json::from_str(&body).map_err(|error| Failure::internal(format!("a report is not JSON: {error}")))
    }

    /// Forgets reports that were kept long enough.
    pub async fn tidy(&self, kept: Duration) -> Result<u64, Failure> {
        let mut tx = self.importer.env.db.begin("imports::forget_reports").await?;
        let forgotten = imports::forget_reports(&mut tx, self.importer.env.clock.now().minus(kept)).await?;
        tx.commit().await?;
        Ok(forgotten)
    }
}

fn busy() -> Failure {
    let mut failure = Failure::unavailable("imports_busy", "another import is running in this store");
    failure.public = "Another import is running. Deliver it again shortly.".into();
    failure.kind = FailureKind::Unavailable { retry_after: Duration::from_secs(5) };
    failure
}

/// A file that cannot be imported, as its sender is told of it.
fn failure(error: &ImportError) -> Failure {
    let unprocessable = |code| Failure::new(FailureKind::Unprocessable, code, format!("Nothing was taken: {error}."));
    match error {
        ImportError::Busy => busy(),
        ImportError::Header { .. } => unprocessable("file_columns"),
        ImportError::TooManyRows { .. } => unprocessable("too_many_rows"),
        ImportError::EmptyFile
        | ImportError::HeaderNotUtf8
        | ImportError::HeaderNotGb18030
        | ImportError::LooksLikeGb18030
        | ImportError::LooksLikeUtf8
        | ImportError::RowTooLong { .. }
        | ImportError::Csv(_)
        | ImportError::NoParquet
        | ImportError::Parquet(_) => unprocessable("file_unreadable"),
        ImportError::KnownFromOthers => Failure::new(
            FailureKind::Conflict,
            "file_known",
            "This very file was imported already, not from you. Nothing was taken, and nothing needs to be.",
        ),
        ImportError::SenderEnded => {
            Failure::unavailable("state_moving", "the sender was stopped while its file was read")
        }
        ImportError::Store { .. } | ImportError::Ledger(_) => {
            Failure::unavailable("store_unavailable", error_chain(error))
        }
        _ => Failure::internal(error_chain(error)),
    }
}
