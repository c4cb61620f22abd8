//! The problems of a configuration: all of them, each with its line.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A problem of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line of the operator's file; none when the file does not have the key.
    pub line: Option<usize>,
    /// The full key, such as `store.max_connections`. Empty for a problem of the whole file.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

/// A configuration that cannot be used. The process ends with code 64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    pub file: PathBuf,
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// Makes an error of one problem that was found outside the checks of the sections.
    pub fn one(file: &Path, line: Option<usize>, key: &str, message: impl Into<String>) -> Self {
        let problem = Problem { line, key: key.to_owned(), message: message.into() };
        Self { file: file.to_owned(), problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some(line) = problem.line {
                write!(f, ":{line}")?;
            }
            if !problem.key.is_empty() {
                write!(f, ": {}", problem.key)?;
            }
            write!(f, ": {}", problem.message)?;
        }
        Ok(())
    }
}
