//! One fact about a subject.

use std::cmp::Ordering;

use super::number::Decimal;
use crate::domain::Day;

/// One fact: a line of `records.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The position of its measure in the catalogue.
    pub measure: usize,
    /// The day of the event, or the reporting date.
    pub occurred_on: Day,
    pub value: Decimal,
    /// The reporting authority.
    pub source: String,
    /// The identifier of the record at its source.
    pub reference: String,
    /// The import that delivered it: a fact delivered again replaces the former one.
    pub import_seq: i64,
}

impl Fact {
    /// The order of facts: by content alone, so that neither the order of lines nor that of files matters.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.identity()
            .cmp(&other.identity())
            .then(other.import_seq.cmp(&self.import_seq))
            .then(other.value.cmp(&self.value))
    }

    pub(super) fn identity(&self) -> (usize, Day, &str, &str) {
        (self.measure, self.occurred_on, &self.source, &self.reference)
    }
}
