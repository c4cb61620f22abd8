//! What banks read: the answers, what they carry, and who is refused.

mod content;
mod grade;
mod memory;
mod settlements;
pub mod tiles;
