//! The report of an upload, as its sender receives it and as the store keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Finding, Outcome, Report, rejects::MOST_LISTED};

/// One problem found in a row of an upload.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListedFinding {
    /// The row, counted as the lines of a CSV file: the first behind the header is 2.
    #[schema(example = 7)]
    row: u64,
    /// The column; empty where the finding is about the whole row.
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

// The schema keeps its published name, because clients are generated from it.
/// Report of a delivered file.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = DeliveryReport)]
pub struct UploadReport {
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
    /// Lines that are no rows, such as empty lines and sums. With the header, the accepted and the rejected rows they are
    /// all lines of the file.
    #[serde(default)]
    #[schema(example = 0)]
    skipped: u64,
    /// Facts of the replaced import that this file does not have: they no longer count. Only with `replaces`.
    #[schema(example = 3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    voided: Option<u64>,
    /// How many findings there were, by code.
    #[schema(example = json!({"value_malformed": 2}))]
    findings: BTreeMap<String, u64>,
    /// The first thousand of them.
    listed: Vec<ListedFinding>,
    /// Whether there were more than are listed.
    #[schema(example = false)]
    more: bool,
}

/// What was found in the rows of an import, without the words that quote the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportFindings {
    /// The number of findings by code.
    pub codes: Vec<(String, u64)>,
    /// The first thousand findings.
    pub rows: Vec<RowFinding>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFinding {
    pub row: u64,
    /// The column; empty where the finding is about the whole row.
    pub column: String,
    pub code: String,
    /// `reject` or `warning`.
    pub severity: String,
}

impl UploadReport {
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
            skipped: report.skipped.total(),
            voided: report.replaced.map(|replaced| replaced.voided),
            findings: report.findings.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect(),
            listed: listed.iter().map(ListedFinding::from).collect(),
            more: report.findings.values().sum::<u64>() > u64::try_from(MOST_LISTED).unwrap_or(u64::MAX),
        }
    }
    /// The findings without their words, which quote the file.
    pub(super) fn into_findings(self) -> ImportFindings {
        let row = |finding: ListedFinding| RowFinding {
            row: finding.row,
            column: finding.column,
            code: finding.code,
            severity: finding.severity,
        };
        ImportFindings { codes: self.findings.into_iter().collect(), rows: self.listed.into_iter().map(row).collect() }
    }
}
