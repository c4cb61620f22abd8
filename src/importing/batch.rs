//! Checked rows on their way from the reader to the stager.

use std::ops::Range;

use super::{
    ImportError,
    file_context::FileContext,
    findings::{Code, Finding, Severity},
    normalise::normalise,
    row::{Row, RowText},
    skips::{Skips, reason_to_skip},
};

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
    /// Lines that are no rows.
    pub(super) skipped: Skips,
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
        let FileContext { layout, today, .. } = file;
        if let Some(reason) = reason_to_skip(record, layout) {
            self.skipped.add(reason, line);
            return Ok(());
        }
        // Before any field is read: with a field too many or too few, every later one may be under a wrong column.
        if record.len() != layout.width() {
            let message = format!("has {} fields, the header has {}", record.len(), layout.width());
            self.reject(line, Code::ColumnCount, message);
            return Ok(());
        }
        let filled = |at: &&usize| record.get(**at).is_some_and(|field| !field.trim().is_empty());
        if let Some(at) = layout.unnamed().iter().find(filled) {
            let message = format!("has a value in column {}, which has no name in the header", at + 1);
            self.reject(line, Code::ColumnCount, message);
            return Ok(());
        }
        // Only now: `reject` counts a row by itself.
        self.read += 1;
        let (record, faults) = normalise(record, file);
        if faults.is_empty() {
            let mut row = Row { line, record: &record, layout, findings: &mut self.findings, today };
            return check(&mut row, &mut self.passed);
        }
        self.findings.extend(faults.into_iter().map(|fault| Finding {
            line,
            column: layout.name(fault.column),
            code: fault.code,
            severity: Severity::Reject,
            message: fault.message,
        }));
        Ok(())
    }

    /// Counts a row that cannot be read, for the reason of a kind of finding; a column is at a position. A line of sums may have
    /// any value in any column, and is no row all the same: `record` has the fields before the faulty one.
    pub(super) fn add_unreadable(
        &mut self,
        line: u64,
        record: &csv::StringRecord,
        file: FileContext<'_>,
        (column, code, message): (Option<usize>, Code, String),
    ) {
        match (column, reason_to_skip(record, file.layout)) {
            (Some(_), Some(reason)) => self.skipped.add(reason, line),
            (Some(at), None) => self.reject_column(line, file.layout.name_at(at), code, message),
            (None, _) => self.reject_column(line, "", code, message),
        }
    }

    /// Counts a row that was rejected as a whole.
    pub(super) fn reject(&mut self, line: u64, code: Code, message: String) {
        self.reject_column(line, "", code, message);
    }

    /// Counts a row that was rejected because one of its columns cannot be read.
    fn reject_column(&mut self, line: u64, column: &'static str, code: Code, message: String) {
        self.read += 1;
        self.findings.push(Finding { line, column, code, severity: Severity::Reject, message });
    }
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
