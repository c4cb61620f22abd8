//! Checks the rows of a file one after the other, whatever its format, and writes their facts to the spill file.

use super::{CheckedFact, FactChecks, Spill, SpillWriter, line::LineReader};
use crate::importing::{ImportError, batch::Batch, file_context::FileContext, source::Unreadable};

/// Checks rows on one thread.
pub(in crate::importing) struct FactRows<'a> {
    checks: &'a FactChecks,
    file: FileContext<'a>,
    /// The fast path for rows with nothing unusual in them.
    plain: Option<LineReader<'a>>,
    writer: SpillWriter<'a>,
}

impl<'a> FactRows<'a> {
    pub(in crate::importing) fn new(checks: &'a FactChecks, file: FileContext<'a>, spill: &'a Spill) -> Self {
        // With units, numbers of rows or limited sources, more must be looked at than the texts of a row.
        let plain = checks.any_source() && file.layout.is_plain();
        let plain = plain.then(|| LineReader::new(&checks.dictionary, file.layout.positions())).flatten();
        Self { checks, file, plain, writer: spill.writer() }
    }

    /// Counts a line in the batch if it is plain, without quotes and correct. Any other must be checked by its fields.
    pub(super) fn add_line(&mut self, batch: &mut Batch, line: u64, text: &str) -> Result<bool, ImportError> {
        let Some(plain) = &mut self.plain else { return Ok(false) };
        let fact = plain.read(line, text);
        self.add_plain(batch, fact)
    }

    /// The same for a row, of which `field` has the fields by position. It must have as many as the header.
    pub(super) fn add_fields<'f>(
        &mut self,
        batch: &mut Batch,
        line: u64,
        field: impl Fn(usize) -> Option<&'f str>,
    ) -> Result<bool, ImportError> {
        let Some(plain) = &mut self.plain else { return Ok(false) };
        let fact = plain.fact(line, field);
        self.add_plain(batch, fact)
    }

    fn add_plain(&mut self, batch: &mut Batch, fact: Option<CheckedFact<'_>>) -> Result<bool, ImportError> {
        let Some(fact) = fact else { return Ok(false) };
        batch.read += 1;
        batch.passed.spilled += 1;
        batch.findings.extend(self.checks.voided.finding(&fact));
        self.writer.put(&fact).map_err(|source| ImportError::Spill { source })?;
        Ok(true)
    }

    /// Checks a row, and counts it in the batch.
    pub(in crate::importing) fn add(
        &mut self,
        batch: &mut Batch,
        line: u64,
        record: &csv::StringRecord,
    ) -> Result<(), ImportError> {
        // A field too many is a finding, although those that would be read may be right.
        let whole = record.len() == self.file.layout.width();
        if whole && self.add_fields(batch, line, |at| record.get(at))? {
            return Ok(());
        }
        self.check(batch, line, record)
    }

    /// Checks a row that is not plain, or in which something is wrong.
    pub(super) fn check(
        &mut self,
        batch: &mut Batch,
        line: u64,
        record: &csv::StringRecord,
    ) -> Result<(), ImportError> {
        let Self { checks, file, writer, .. } = self;
        batch.add(line, record, *file, |row, passed| checks.check(row, passed, writer))
    }

    /// Counts a row of which a field cannot be read. `record` has the fields before it.
    pub(super) fn add_unreadable(&self, batch: &mut Batch, line: u64, record: &csv::StringRecord, fault: Unreadable) {
        let Unreadable { column, code, message } = fault;
        batch.add_unreadable(line, record, self.file, (Some(column), code, message.to_owned()));
    }

    /// Writes what is not written yet.
    pub(in crate::importing) fn finish(self) -> Result<(), ImportError> {
        self.writer.finish().map_err(|source| ImportError::Spill { source })
    }
}
