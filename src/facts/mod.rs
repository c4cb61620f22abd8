//! Credit facts by the million: sorted, columnar, compressed.
//!
//! A chunk holds facts of one import, one kind and one half-year, of a range of subjects in the order of their codes. It
//! has two parts that are stored side by side. `totals` says of each subject and measure how many facts there are, what
//! they add up to and which value is the latest: all that a grading run reads. `facts` has every fact with its source,
//! reference and line, in blocks of whole subjects, so that one subject's are found by opening one block.
//!
//! Pure: bytes in, values out. Integers only; sums are kept in 128 bits and cannot overflow. What is read back was
//! written to a database that others can write to, so every length is checked and nothing here can panic or ask for
//! more memory than the blob can justify.

mod build;
mod bytes;
mod read;
mod totals;

use crate::domain::Day;

pub use build::{Chunk, ChunkBuilder};
pub use read::FactsOf;
pub use totals::{Group, Totals};

/// A fact as it goes in and comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row<'a> {
    /// Whom it is about.
    pub code: &'a str,
    /// What it reports.
    pub measure: &'a str,
    /// When it happened, or that it is as of.
    pub day: Day,
    /// Who reported it.
    pub source: &'a str,
    /// By what it can be found again.
    pub reference: &'a str,
    /// How much, in ten-thousandths.
    pub value_e4: i64,
    /// The line of the file.
    pub line: u64,
}

impl Row<'_> {
    /// What tells facts of one import apart, in the order in which they are kept. Of several on one day the last in this
    /// order is the latest.
    pub fn identity(&self) -> (&str, &str, Day, &str, &str) {
        (self.code, self.measure, self.day, self.source, self.reference)
    }
}

/// A fact of a subject, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFact {
    /// The measure, by its place in [`Totals::measures`].
    pub measure: usize,
    /// When.
    pub day: Day,
    /// Who reported it.
    pub source: String,
    /// By what it can be found again.
    pub reference: String,
    /// How much, in ten-thousandths.
    pub value_e4: i64,
    /// The line of the file.
    pub line: u64,
}

/// What is stored is not a chunk: changed or cut off since it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored facts are damaged: {0}")]
pub struct Damaged(pub &'static str);

/// A row that does not belong where it was put: not after the one before it, or outside the half-year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fact is out of its place in a chunk")]
pub struct Misplaced;

#[cfg(test)]
mod tests;
