//! Tables of the trade that are files, such as kinds, catalogues and models: reading one, and saying on which line it is wrong.

use std::{fmt, ops::Range};

use serde::de::DeserializeOwned;

/// One thing wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFault {
    /// The line it stands on, from 1; unknown where something is absent from the whole file.
    pub line: Option<usize>,
    /// What is wrong, as a sentence.
    pub message: String,
}

/// A table that cannot be used, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct TableError {
    /// The file's name, as it was given.
    pub file: String,
    /// What is wrong, in the order of the file.
    pub faults: Vec<TableFault>,
}

impl TableError {
    /// One thing wrong with a whole file.
    pub fn whole(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), faults: vec![TableFault { line: None, message: message.into() }] }
    }

    /// Refuses a file if anything was found in it, and tells it in the order of the lines.
    pub fn unless_none(file: &str, mut faults: Vec<TableFault>) -> Result<(), Self> {
        if faults.is_empty() {
            return Ok(());
        }
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

/// Reads a table as its type, or says on which line it cannot be read.
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, TableError> {
    toml::from_str(text).map_err(|error| TableError {
        file: file.to_owned(),
        faults: vec![TableFault {
            line: error.span().map(|span| line_at(text, &span)),
            message: error.message().to_owned(),
        }],
    })
}

/// The line on which a place begins.
pub fn line_at(text: &str, span: &Range<usize>) -> usize {
    1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count()
}

/// Collects what is wrong with a table.
#[derive(Debug)]
pub struct Faults<'a> {
    file: &'a str,
    found: Vec<TableFault>,
}

impl<'a> Faults<'a> {
    /// Nothing wrong so far.
    pub const fn new(file: &'a str) -> Self {
        Self { file, found: Vec::new() }
    }

    /// Notes a fault on a line unless a condition holds.
    pub fn require(&mut self, holds: bool, line: usize, message: impl FnOnce() -> String) {
        if !holds {
            self.found.push(TableFault { line: Some(line), message: message() });
        }
    }

    /// Refuses the table if anything was found.
    pub fn finish(self) -> Result<(), TableError> {
        TableError::unless_none(self.file, self.found)
    }
}
