//! Credit facts, which come by the million: checked, partitioned by subject, sorted, and packed into chunks.
//!
//! Every fact that passes its checks is written, as a few bytes, into one of many partitions of a temporary file; a
//! subject's facts are all in the same one. Then each partition alone is sorted and packed. Memory is bounded by one
//! partition for each core: some 24 MB of the file, more only where it has more than 6 GB or few subjects have most of
//! it. The result does not depend on the order of the file's lines.
//!
//! Plain CSV files and Parquet are checked on several threads (`parallel`, `validate`, `blocks`), and rows with nothing unusual
//! in them take a fast path (`line`). Every other row goes through one checker (`check`), so that findings are worded in one
//! place.

mod blocks;
mod check;
mod dictionary;
mod documents;
mod line;
mod parallel;
mod partition;
mod rows;
mod spill;
#[cfg(test)]
mod tests;
mod validate;

use super::{ImportError, Rules, batch::Passed, row::Row};
use crate::{
    domain::Day,
    store::{facts::SubjectRow, voids::VoidRow},
};

use dictionary::Dictionary;
use documents::VoidedDocuments;
pub(super) use documents::{EventDocument, event_key, is_day, reported_before};
pub(super) use parallel::{Parallel, check_blocks};
pub(super) use partition::{PackedPart, pack};
pub(super) use rows::FactRows;
pub(super) use spill::{Spill, SpillWriter};
pub(super) use validate::{PlainCsv, check_csv};

/// A fact that passed its checks, with the numbers that stand for the subject and the measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CheckedFact<'a> {
    /// The subject's number in the [`Dictionary`].
    subject: u32,
    /// The measure's number in the [`Dictionary`].
    measure: u16,
    /// The Julian day number.
    day: i32,
    /// The value in ten-thousandths.
    value_e4: i64,
    source: &'a str,
    reference: &'a str,
    /// The line of the file.
    line: u64,
}

/// The checks of a file of credit facts.
#[derive(Debug)]
pub(super) struct FactChecks {
    rules: Rules,
    dictionary: Dictionary,
    voided: VoidedDocuments,
}

impl FactChecks {
    /// Checks facts about `subjects`. Days after `today` are rejected, and so are facts that expired before the
    /// half-year `halves_back` before the present one.
    pub(super) fn new(rules: Rules, subjects: Vec<SubjectRow>, today: Day, halves_back: u8) -> Self {
        let dictionary = Dictionary::new(subjects, &rules.references, today, halves_back);
        Self { rules, dictionary, voided: VoidedDocuments::default() }
    }

    /// Reports facts whose documents were taken back, by decisions in the order of acceptance.
    pub(super) fn with_voids(mut self, rows: Vec<VoidRow>) -> Self {
        self.voided = VoidedDocuments::of(rows, &self.dictionary);
        self
    }

    /// Whether the file's sender may report the facts of any source.
    pub(super) const fn any_source(&self) -> bool {
        self.rules.sources.is_none()
    }

    /// An empty spill file for the facts of a file of some size.
    pub(super) fn spill(&self, file_bytes: u64) -> Result<Spill, ImportError> {
        let authorities = self.dictionary.authorities().clone();
        Spill::for_file(file_bytes, self.dictionary.len(), authorities).map_err(|source| ImportError::Spill { source })
    }

    /// Checks a row, and writes its fact to the spill file if it passes.
    fn check(&self, row: &mut Row<'_>, passed: &mut Passed, writer: &mut SpillWriter<'_>) -> Result<(), ImportError> {
        if let Some(fact) = check::check(row, &self.rules, &self.dictionary) {
            row.findings.extend(self.voided.finding(&fact));
            writer.put(&fact).map_err(|source| ImportError::Spill { source })?;
            passed.spilled += 1;
        }
        Ok(())
    }
}
