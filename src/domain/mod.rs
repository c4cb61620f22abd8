//! The domain's value types: identifiers, codes, money, months, grades, permissions; also the clock, randomness and the
//! failure type.
//!
//! Nothing here does input or output, and nothing here knows SQL, HTTP or keys. Every other room imports this one; it
//! imports none.

pub mod actor;
pub mod bounded_cache;
pub mod canonical;
pub mod clock;
pub mod clock_trust;
pub mod codes;
pub mod document;
mod error_chain;
pub mod failure;
pub mod grade;
pub mod html;
pub mod ids;
pub mod kinds;
pub mod malformed;
pub mod money;
pub mod names;
pub mod network;
pub mod permission;
pub mod printable;
pub mod quota;
pub mod region;
pub mod resident_id;
pub mod rng;
pub mod settlement;
pub mod table;
pub mod time;
pub mod uscc;
pub mod words;
pub mod working_days;
pub mod xml;

pub use actor::{Actor, Channel, Principal};
pub use bounded_cache::BoundedCache;
pub use clock::{Clock, ManualClock, SystemClock};
pub use clock_trust::ClockTrust;
pub use codes::NationalCode;
pub use document::document_of;
pub use error_chain::{cause, error_chain};
pub use failure::{Failure, FailureKind};
pub use kinds::{Kind, Kinds};
pub use malformed::Malformed;
pub use money::Fen;
pub use network::Network;
pub use quota::QuotaUse;
pub use region::Region;
pub use resident_id::ResidentId;
pub use rng::{Entropy, SeededEntropy, SystemEntropy};
pub use table::TableError;
pub use time::{Day, HalfYear, Month, Timestamp};
pub use uscc::Uscc;
pub use working_days::WorkCalendar;
