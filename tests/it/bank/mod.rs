//! What banks read: the answers, what they carry, and who is refused.

mod content;
mod grade;
mod settlements;
pub mod tiles;
