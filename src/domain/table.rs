//! Reads TOML tables such as kinds, catalogues and models, and reports their faults by line.

use std::{fmt, ops::Range};

use serde::de::DeserializeOwned;

/// One fault of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFault {
    /// The line, counted from 1; none if something is missing from the whole file.
    pub line: Option<usize>,
    /// A sentence that describes the fault.
    pub message: String,
}

/// A table that cannot be used, with all its faults.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct TableError {
    /// The file's name, as given.
    pub file: String,
    /// The faults, in the order of the file.
    pub faults: Vec<TableFault>,
}

impl TableError {
    /// A fault of the whole file.
    pub fn whole_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), faults: vec![TableFault { line: None, message: message.into() }] }
    }

    /// Fails if there are faults, and sorts them by line.
    pub fn check_none(file: &str, mut faults: Vec<TableFault>) -> Result<(), Self> {
        if faults.is_empty() {
            return Ok(());
        }
        // Checks go by topic; a person who fixes the file goes by line.
        faults.sort_by_key(|fault| fault.line);
        Err(Self { file: file.to_owned(), faults })
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            match fault.line {
                Some(line) => write!(f, "{}:{line}: {}", self.file, fault.message)?,
                None => write!(f, "{}: {}", self.file, fault.message)?,
            }
        }
        Ok(())
    }
}

/// Parses a table; an error names its line.
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, TableError> {
    toml::from_str(text).map_err(|error| TableError {
        file: file.to_owned(),
        faults: vec![TableFault {
            line: error.span().map(|span| line_at(text, &span)),
            message: error.message().to_owned(),
        }],
    })
}

/// The line on which a span begins, counted from 1.
pub fn line_at(text: &str, span: &Range<usize>) -> usize {
    1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count()
}

/// Collects the faults of a table.
#[derive(Debug)]
pub struct Faults<'a> {
    file: &'a str,
    found: Vec<TableFault>,
}

impl<'a> Faults<'a> {
    /// Creates an empty collection.
    pub const fn new(file: &'a str) -> Self {
        Self { file, found: Vec::new() }
    }

    /// Adds a fault on a line unless a condition holds.
    pub fn require(&mut self, holds: bool, line: usize, message: impl FnOnce() -> String) {
        if !holds {
            self.found.push(TableFault { line: Some(line), message: message() });
        }
    }

    /// Fails if faults were found.
    pub fn finish(self) -> Result<(), TableError> {
        TableError::check_none(self.file, self.found)
    }
}
