//! An error with its causes: as a line for logs and operators, and one of a type among them.

use std::{error::Error, fmt::Write as _, io};

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

/// The first error of a type in a chain of causes, including the inner error of an I/O error, which `source` skips.
pub fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| cause::<T>(inner)) {
            return Some(found);
        }
        at = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{cause, error_chain};

    #[derive(Debug, thiserror::Error)]
    #[error("the outer error")]
    struct Outer(#[source] std::io::Error);

    #[derive(Debug, PartialEq, Eq, thiserror::Error)]
    #[error("the innermost error")]
    struct Inner;

    #[test]
    fn a_cause_is_found_inside_an_io_error() {
        let error = Outer(std::io::Error::other(std::io::Error::other(Inner)));
        assert_eq!(cause::<Inner>(&error), Some(&Inner));
        assert!(cause::<Inner>(&Outer(std::io::Error::other("another"))).is_none());
    }

    #[test]
    fn every_cause_follows_its_error() {
        assert_eq!(error_chain(&Outer(std::io::Error::other("the cause"))), "the outer error: the cause");
    }
}
