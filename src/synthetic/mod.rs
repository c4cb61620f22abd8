//! (room to be filled)
pub mod records;
