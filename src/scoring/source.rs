//! Where in a file something is wrong: a refused file names itself, the line, and what to do about it.

use std::fmt;

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One thing wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line it stands on, from 1; unknown where something is absent from the whole file.
    pub line: Option<usize>,
    /// What is wrong, as a sentence.
    pub message: String,
}

/// A catalogue or model file that cannot be used, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    /// The file's name, as it was given.
    pub file: String,
    /// What is wrong, in the order of the file.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Refused {
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

/// One step from the top of a file to a value in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// The value of a key.
    Key(&'static str),
    /// An element of an array, from 0.
    At(usize),
}

/// Collects what is wrong with a file, by place.
#[derive(Debug)]
pub(super) struct Faults<'a> {
    file: &'a str,
    text: &'a str,
    tree: Option<Spanned<DeTable<'a>>>,
    found: Vec<Fault>,
}

impl<'a> Faults<'a> {
    /// Nothing wrong so far. A text that is not TOML (a model read back from the database) has no lines to name.
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, tree: DeTable::parse(text).ok(), found: Vec::new() }
    }

    /// Notes a fault at a place.
    pub(super) fn add(&mut self, path: &[Step], message: impl Into<String>) {
        let line = self.offset_of(path).filter(|_| !self.text.is_empty()).map(|offset| line_at(self.text, offset));
        self.found.push(Fault { line, message: message.into() });
    }

    /// Notes a fault at a place unless a condition holds.
    pub(super) fn require(&mut self, holds: bool, path: &[Step], message: impl FnOnce() -> String) {
        if !holds {
            self.add(path, message());
        }
    }

    /// Refuses the file if anything was found.
    pub(super) fn finish(self) -> Result<(), Refused> {
        if self.found.is_empty() {
            return Ok(());
        }
        let mut faults = self.found;
        faults.sort_by_key(|fault| fault.line);
        Err(Refused { file: self.file.to_owned(), faults })
    }

    /// The offset of the value at a path, or of the nearest thing around it that exists.
    fn offset_of(&self, path: &[Step]) -> Option<usize> {
        let Some((first, rest)) = path.split_first() else { return Some(0) };
        let Step::Key(name) = first else { return Some(0) };
        let mut value = find(self.tree.as_ref()?.get_ref(), name)?;
        for step in rest {
            let next = match (step, value.get_ref()) {
                (Step::Key(name), DeValue::Table(table)) => find(table, name),
                (Step::At(index), DeValue::Array(array)) => array.get(*index),
                _ => None,
            };
            match next {
                Some(next) => value = next,
                None => break,
            }
        }
        Some(value.span().start)
    }
}

fn find<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<&'t Spanned<DeValue<'i>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// Reads a TOML file into its type; the refusal names the line.
pub(super) fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Refused> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_at(text, span.start));
        Refused { file: file.to_owned(), faults: vec![Fault { line, message: error.message().to_owned() }] }
    })
}
