//! Records that do not fit the fields of a platform, counted while a package is made.

use super::{PushError, UnfitRecords, platform::RenderError};

/// How many records that do not fit are named in the error.
const NAMED: usize = 10;

/// The records that do not fit, so that a person sees more than the first.
#[derive(Debug, Default)]
pub(super) struct Unfit {
    count: usize,
    first: Vec<RenderError>,
}

impl Unfit {
    pub(super) fn add(&mut self, error: RenderError) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(error);
        }
    }

    /// Refuses a package with records that do not fit.
    pub(super) fn check(self, run: &str) -> Result<(), PushError> {
        if self.count == 0 {
            return Ok(());
        }
        let unfit = UnfitRecords { run: run.to_owned(), count: self.count, first: self.first };
        Err(PushError::Records(Box::new(unfit)))
    }
}
