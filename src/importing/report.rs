//! Progress and result of an import.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Finding, ImportError, Skips, Template, delivered::Former};
use crate::store::imports::ImportRow;

/// Progress of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of the file read so far.
    pub bytes: u64,
    /// Size of the file in bytes.
    pub total_bytes: u64,
    /// Rows processed so far, rejected ones included.
    pub rows: u64,
    /// Rejected rows so far.
    pub rejected: u64,
    /// Statements so far.
    pub chunks: u64,
}

/// The outcome of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its rows are visible from now on.
    Accepted,
    /// The same file was accepted before; nothing was written.
    Recognised,
    /// Every row was rejected, so there is nothing to accept. The file may be imported again.
    NothingTaken,
    /// It was only checked.
    Checked,
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub template: Template,
    /// The file's name, without its directory.
    pub file_name: String,
    /// The file's SHA-256, hex.
    pub sha256: String,
    pub outcome: Outcome,
    /// The id of this import, or of the earlier one that accepted the same file.
    pub import_id: Option<String>,
    /// The number of this import, or of the earlier one that accepted the same file.
    pub import_seq: Option<i64>,
    /// Rows of the file: lines that are neither its header nor skipped.
    pub rows: u64,
    /// Accepted rows.
    pub accepted: u64,
    /// Rejected rows.
    pub rejected: u64,
    /// Lines that are no rows, such as empty lines and sums.
    pub skipped: Skips,
    /// Warnings about accepted rows.
    pub warnings: u64,
    /// Number of findings by code.
    pub findings: BTreeMap<&'static str, u64>,
    /// New, changed and unchanged subjects.
    pub subjects: SubjectChanges,
    /// The import that it replaces, if it was said to replace one.
    pub replaced: Option<ReplacedImport>,
    /// Statements that staged its rows.
    pub chunks: u64,
    /// Killed imports whose leftovers were removed first.
    pub removed: u64,
    /// The report of findings, if there were any: the CSV file, the workbook if only that was requested, or the folder.
    pub rejects: Option<PathBuf>,
    /// The same report as a workbook, beside the CSV file.
    pub workbook: Option<PathBuf>,
    /// The first findings, for a file that was uploaded.
    pub listed: Vec<Finding>,
}

/// An import that another one replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplacedImport {
    /// Its number.
    pub import_seq: i64,
    /// The number of its facts.
    pub facts: u64,
    /// How many of them the new file does not have: they no longer count.
    pub voided: u64,
}

impl From<Former> for ReplacedImport {
    fn from(former: Former) -> Self {
        Self { import_seq: former.seq, facts: former.facts, voided: former.facts.saturating_sub(former.matched) }
    }
}

/// What an import did to subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubjectChanges {
    /// Subjects that did not exist before.
    pub new: u64,
    /// Subjects with other values than before; each got its next version.
    pub changed: u64,
    /// Subjects with the same values as before.
    pub unchanged: u64,
}

impl Report {
    /// The report of an import that begins.
    pub(super) fn new(template: Template, file_name: String, sha256: String) -> Self {
        Self {
            template,
            file_name,
            sha256,
            outcome: Outcome::Checked,
            import_id: None,
            import_seq: None,
            rows: 0,
            accepted: 0,
            rejected: 0,
            skipped: Skips::default(),
            warnings: 0,
            findings: BTreeMap::new(),
            subjects: SubjectChanges::default(),
            replaced: None,
            chunks: 0,
            removed: 0,
            rejects: None,
            workbook: None,
            listed: Vec::new(),
        }
    }

    /// Takes over the figures of the earlier import that accepted the same file.
    pub(super) fn recognise(&mut self, earlier: &ImportRow) {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        self.outcome = Outcome::Recognised;
        self.import_seq = Some(earlier.seq);
        self.import_id = Some(earlier.id.clone());
        self.rows = count(earlier.row_count);
        self.accepted = count(earlier.accepted);
        self.rejected = count(earlier.rejected);
    }

    /// Counts rows. Both numbers come from what was done with them, and not from each other, so that
    /// [`Report::check_lines`] finds a row with which nothing was done.
    pub(super) fn count_rows(&mut self, accepted: u64, rejected: u64) {
        self.accepted += accepted;
        self.rejected += rejected;
        self.rows = self.accepted + self.rejected;
    }

    /// Takes back rows that were counted as accepted.
    pub(super) fn reject_accepted(&mut self, rows: u64) {
        self.accepted = self.accepted.saturating_sub(rows);
        self.rejected += rows;
    }

    /// Compares the lines that the file has with what became of them: the header, accepted and rejected rows, and skipped
    /// lines.
    pub(super) fn check_lines(&self, lines: u64) -> Result<(), ImportError> {
        let (rows, skipped) = (self.rows, self.skipped.total());
        if lines == 1 + rows + skipped { Ok(()) } else { Err(ImportError::LinesLost { lines, rows, skipped }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::importing::SkipReason;

    #[test]
    fn a_line_with_which_nothing_was_done_fails_the_import() {
        let mut report = Report::new(Template::Records, "records.csv".into(), String::new());
        report.count_rows(5, 2);
        report.skipped.add(SkipReason::Blank, 4);
        report.reject_accepted(1);
        assert_eq!((report.rows, report.accepted, report.rejected), (7, 4, 3));
        assert!(report.check_lines(9).is_ok());
        for lines in [8, 10] {
            let error = report.check_lines(lines).unwrap_err();
            assert!(matches!(error, ImportError::LinesLost { rows: 7, skipped: 1, .. }), "{error}");
        }
    }
}
