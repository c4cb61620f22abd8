//! Status of data collection (信息归集): which categories of a catalogue have been delivered for a half-year, and which are
//! late.
//!
//! Reads the totals of chunks and the list of imports, never a single fact. Knows nothing about grades.

mod due;
mod status;

pub use due::{CategoryState, Due};
pub use status::{CategoryStatus, Collection, CollectionError};
