//! Packages for platforms: what is sent to whom, how far it came, and what each platform answered.

pub mod packages;
pub mod platforms;
pub mod rows;
pub mod usage;
