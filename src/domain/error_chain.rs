//! An error with its causes, for logs and operators.

use std::{error::Error, fmt::Write as _};

/// Joins the texts of an error and its causes on one line, separated by colons.
///
/// ```
/// let error = std::io::Error::other("the disk is full");
/// assert_eq!(medcredit_core::domain::error_chain(&error), "the disk is full");
/// ```
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::error_chain;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer error")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn every_cause_follows_its_error() {
        assert_eq!(error_chain(&Outer(std::io::Error::other("the cause"))), "the outer error: the cause");
    }
}
