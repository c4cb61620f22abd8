//! Credit facts by the million: sorted, columnar, compressed.
//!
//! A chunk has the facts of one import, one kind and one half-year, of a range of subjects in the order of their codes.
//! It has two parts that are stored side by side. `totals` has, for each subject and measure, the number of facts,
//! their sum and the latest value: all that a grading run reads. `facts` has every fact with its source, reference and
//! line, in blocks of whole subjects, so that one block is decompressed to read the facts of one subject.
//!
//! Pure: bytes in, values out. Integers only; sums have 128 bits and cannot overflow. Others can write to the database
//! that chunks are read from, so every length is checked, and nothing here panics or allocates more memory than the
//! size of the blob justifies.

mod build;
mod bytes;
mod documents;
mod read;
mod totals;

use crate::domain::Day;

pub use build::{Chunk, ChunkBuilder};
pub use documents::{decode_documents, document_hash, encode_documents};
pub use read::FactsOf;
pub use totals::{Group, Totals};

/// A fact in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row<'a> {
    /// The code of its subject.
    pub code: &'a str,
    /// The id of its measure.
    pub measure: &'a str,
    /// The day on which it happened, or for which it was measured.
    pub day: Day,
    /// The authority that reported it.
    pub source: &'a str,
    /// The source's reference.
    pub reference: &'a str,
    /// The value in ten-thousandths.
    pub value_e4: i64,
    /// The line of the file.
    pub line: u64,
}

impl Row<'_> {
    /// Identifies a fact within an import, and orders the facts of a chunk. Of several on one day, the last in this
    /// order counts as the latest.
    pub fn identity(&self) -> (&str, &str, Day, &str, &str) {
        (self.code, self.measure, self.day, self.source, self.reference)
    }
}

/// A fact of a subject, read from a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFact {
    /// Index of its measure in [`Totals::measures`].
    pub measure: usize,
    /// The day on which it happened, or for which it was measured.
    pub day: Day,
    /// The authority that reported it.
    pub source: String,
    /// The source's reference.
    pub reference: String,
    /// The value in ten-thousandths.
    pub value_e4: i64,
    /// The line of the file.
    pub line: u64,
}

/// The stored bytes are not a chunk: they were changed or truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored facts are damaged: {0}")]
pub struct Damaged(pub &'static str);

/// A row was pushed out of order, or is outside the half-year of the chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fact is out of order, or outside the half-year of its chunk")]
pub struct Misplaced;

#[cfg(test)]
mod tests;
