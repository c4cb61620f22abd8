//! What was to be delivered, and was it (信息归集): a catalogue's categories against what the store holds of a half-year.
//!
//! Reads the totals of chunks and the list of imports, never a fact. It decides when a category is late, and knows nothing
//! of grades.

mod due;
mod status;

pub use due::{CategoryState, Due};
pub use status::{CategoryStatus, Collection, CollectionError};
