//! Checked rows on their way from the reader to the stager.

use std::ops::Range;

use super::{
    ImportError,
    findings::{Code, Finding, Severity},
    layout::Layout,
    row::{Row, RowText},
};
use crate::domain::Day;

/// The codes of a row that must be subjects: the column of each, and its position in the batch's text.
pub(super) type Codes = [Option<(usize, Range<usize>)>; 2];

/// A row that passed its own checks.
#[derive(Debug)]
pub(super) struct CheckedRow {
    pub(super) line: u64,
    /// Its JSON within the batch's text.
    pub(super) json: Range<usize>,
    /// Codes to look up among the subjects.
    pub(super) codes: Codes,
}

/// The rows of a batch that passed their checks.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// The JSON of the rows below.
    pub(super) text: RowText,
    /// Rows to stage.
    pub(super) rows: Vec<CheckedRow>,
    /// Number of credit facts: they are in the spill file until all are read.
    pub(super) spilled: u64,
}

/// Consecutive rows of a file, checked.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Number of rows read, rejected ones included.
    pub(super) read: u64,
    /// Bytes of the file read so far.
    pub(super) bytes: u64,
    pub(super) findings: Vec<Finding>,
    pub(super) passed: Passed,
}

impl Batch {
    /// Counts a row and checks it. `check` adds it to the rows that passed, or notes why it did not pass.
    pub(super) fn add(
        &mut self,
        line: u64,
        record: &csv::StringRecord,
        file: FileContext<'_>,
        check: impl FnOnce(&mut Row<'_>, &mut Passed) -> Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        let FileContext { layout, today } = file;
        // Before any field is read: with a field too many or too few, every later one may be under a wrong column.
        if record.len() != layout.width() {
            let message = format!("has {} fields, the header has {}", record.len(), layout.width());
            self.reject(line, Code::ColumnCount, message);
            return Ok(());
        }
        // Only now: `reject` counts a row by itself.
        self.read += 1;
        let mut row = Row { line, record, layout, findings: &mut self.findings, today };
        check(&mut row, &mut self.passed)
    }

    /// Counts a row that was rejected as a whole.
    pub(super) fn reject(&mut self, line: u64, code: Code, message: String) {
        self.reject_column(line, "", code, message);
    }

    /// Counts a row that was rejected because one of its columns cannot be read.
    pub(super) fn reject_column(&mut self, line: u64, column: &'static str, code: Code, message: String) {
        self.read += 1;
        self.findings.push(Finding { line, column, code, severity: Severity::Reject, message });
    }
}

/// What is the same for all rows of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileContext<'a> {
    pub(super) layout: &'a Layout,
    /// The city's day of the import.
    pub(super) today: Day,
}

/// Why reading ends before the file does.
#[derive(Debug)]
pub(super) enum Stop {
    /// The import was dropped, so that nobody receives the rows.
    Dropped,
    /// The file cannot be imported.
    Failed(ImportError),
}

impl From<ImportError> for Stop {
    fn from(error: ImportError) -> Self {
        Self::Failed(error)
    }
}
