//! What is the same for all rows of a file.

use super::{References, layout::Layout};
use crate::domain::Day;

/// What is the same for all rows of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileContext<'a> {
    pub(super) layout: &'a Layout,
    /// The city's day of the import.
    pub(super) today: Day,
    pub(super) references: &'a References,
    /// Whether the format says which values are numbers and which are texts.
    pub(super) typed: bool,
}
