//! What banks read: the answers, what they carry, and who is refused.

mod grade;
mod settlements;
