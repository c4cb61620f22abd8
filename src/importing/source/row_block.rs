//! Rows of a file that is stored by columns, decoded together.

use std::ops::Range;

use super::{super::findings::Code, Fault};

/// A field of a row.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    /// Null.
    Empty,
    /// The position of its text.
    Text(Range<usize>),
    /// A value that has no text.
    Fault(Fault),
}

/// The fields of one column in consecutive rows.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) text: String,
    pub(super) cells: Vec<Cell>,
}

impl Cells {
    fn field(&self, row: usize) -> Result<&str, Fault> {
        match self.cells.get(row) {
            Some(Cell::Text(range)) => Ok(self.text.get(range.clone()).unwrap_or_default()),
            Some(Cell::Fault(fault)) => Err(*fault),
            Some(Cell::Empty) | None => Ok(""),
        }
    }
}

/// A row that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::importing) struct Unreadable {
    /// The position of the faulty column.
    pub(in crate::importing) column: usize,
    pub(in crate::importing) code: Code,
    /// What is wrong with its value.
    pub(in crate::importing) message: &'static str,
}

/// Consecutive rows of a file.
#[derive(Debug, Default)]
pub(in crate::importing) struct RowBlock {
    /// The line of the first row.
    pub(super) line: u64,
    pub(super) rows: usize,
    pub(super) columns: Vec<Cells>,
}

impl RowBlock {
    /// The rows, each with its line.
    pub(in crate::importing) fn rows(&self) -> impl Iterator<Item = (usize, u64)> + use<> {
        (0..self.rows).zip(self.line..)
    }

    /// The field of a row in a column; `None` if it cannot be read.
    pub(in crate::importing) fn field(&self, row: usize, column: usize) -> Option<&str> {
        self.columns.get(column)?.field(row).ok()
    }

    /// Copies a row, up to its first field that cannot be read.
    pub(in crate::importing) fn copy(&self, row: usize, to: &mut csv::StringRecord) -> Result<(), Unreadable> {
        to.clear();
        for (place, column) in self.columns.iter().enumerate() {
            let field = column.field(row).map_err(|(code, message)| Unreadable { column: place, code, message })?;
            to.push_field(field);
        }
        Ok(())
    }

    /// How many bytes the texts of the rows have.
    pub(super) fn size(&self) -> usize {
        self.columns.iter().map(|column| column.text.len()).sum()
    }
}

/// Blocks that were decoded together.
#[derive(Debug, Default)]
pub(in crate::importing) struct RowBlocks {
    pub(in crate::importing) blocks: Vec<RowBlock>,
    /// About how many bytes of the file were read up to here.
    pub(in crate::importing) bytes: u64,
}

/// A file whose rows can be read in blocks.
pub(in crate::importing) trait BlockSource {
    /// The next blocks; `None` at the end. A file is read in blocks, or row by row, from its beginning to its end.
    fn next_blocks(&mut self) -> Result<Option<RowBlocks>, super::super::ImportError>;
}
