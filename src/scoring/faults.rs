//! Faults of a file: each names the file, the line, and what to do.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::domain::table::{TableError, TableFault, line_at};

/// A step of the path from the top of a file to a value in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// The value of a key.
    Key(&'static str),
    /// An element of an array, from 0.
    At(usize),
}

/// Collects the faults of a file.
#[derive(Debug)]
pub(super) struct Faults<'a> {
    file: &'a str,
    text: &'a str,
    tree: Option<Spanned<DeTable<'a>>>,
    found: Vec<TableFault>,
}

impl<'a> Faults<'a> {
    /// No faults yet. A text that is not TOML, such as a model from the database, has no lines to name.
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        // Parsed a second time for the lines: the values themselves do not keep their places.
        Self { file, text, tree: DeTable::parse(text).ok(), found: Vec::new() }
    }

    /// Adds a fault at a path.
    pub(super) fn add(&mut self, path: &[Step], message: impl Into<String>) {
        let line = self.place_of(path).filter(|_| !self.text.is_empty()).map(|place| line_at(self.text, &place));
        self.found.push(TableFault { line, message: message.into() });
    }

    /// Adds a fault at a path unless a condition is true.
    pub(super) fn require(&mut self, holds: bool, path: &[Step], message: impl FnOnce() -> String) {
        if !holds {
            self.add(path, message());
        }
    }

    /// Refuses the file if it has a fault.
    pub(super) fn finish(self) -> Result<(), TableError> {
        TableError::check_none(self.file, self.found)
    }

    /// The span of the value at a path, or of its nearest ancestor that exists.
    fn place_of(&self, path: &[Step]) -> Option<Range<usize>> {
        let Some((first, rest)) = path.split_first() else { return Some(0..0) };
        let Step::Key(name) = first else { return Some(0..0) };
        let mut value = find(self.tree.as_ref()?.get_ref(), name)?;
        for step in rest {
            let next = match (step, value.get_ref()) {
                (Step::Key(name), DeValue::Table(table)) => find(table, name),
                (Step::At(index), DeValue::Array(array)) => array.get(*index),
                _ => None,
            };
            match next {
                Some(next) => value = next,
                // A key that is missing has no place: its nearest ancestor says where it belongs.
                None => break,
            }
        }
        Some(value.span())
    }
}

fn find<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<&'t Spanned<DeValue<'i>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}
