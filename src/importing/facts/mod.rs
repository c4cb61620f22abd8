//! Credit facts, which come by the million: read in parallel, sifted by subject, sorted, and packed into chunks.
//!
//! First every line is checked and put, as a few bytes, into one of many heaps of a temporary file without a name, each
//! heap holding whole subjects. Then each heap alone is sorted and packed. Memory is bounded by one heap for each core:
//! some 24 MB of the file, more only where it has more than 6 GB or few subjects have most of it. What is stored does not
//! depend on the order of its lines.
//!
//! A line that is plain takes the short way (`line`). Any other, and every one in which something is wrong, goes through
//! the same checker as the rows of other templates, so that there is one place that says what is wrong.

mod blocks;
mod known;
mod line;
mod partition;
mod read;
mod spill;
#[cfg(test)]
mod tests;
mod validate;

use partition::settle;
use validate::{Checking, Sifted, sift_csv, sift_rows};

pub(super) use known::Known;
pub(super) use line::MAX_REFERENCE;
pub(super) use partition::PackedPart;
pub(super) use read::read_facts;
pub(super) use validate::Told;

/// A fact that was checked, with what it names already found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CheckedFact<'a> {
    /// The subject, by its place in [`Known`].
    pub(super) subject: u32,
    /// The measure, by its place among all measures in order of their ids.
    pub(super) measure: u16,
    /// Days since the beginning of the calendar in use.
    pub(super) day: i32,
    /// How much, in ten-thousandths.
    pub(super) value_e4: i64,
    /// Who reported it.
    pub(super) source: &'a str,
    /// By what it can be found again.
    pub(super) reference: &'a str,
    /// The line of the file.
    pub(super) line: u64,
}
