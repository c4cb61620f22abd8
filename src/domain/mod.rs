//! The words of the trade: identifiers, money, months, grades, permissions, the clock and the failure type.
//!
//! Everything here is a value. Nothing here does input or output, and nothing here knows of SQL, HTTP or keys. Every
//! other room imports this one; it imports none.

pub mod actor;
pub mod canonical;
pub mod clock;
pub mod codes;
mod error_chain;
pub mod failure;
pub mod grade;
pub mod ids;
pub mod kinds;
pub mod malformed;
pub mod money;
pub mod permission;
pub mod quota;
pub mod recent;
pub mod region;
pub mod resident_id;
pub mod rng;
pub mod settlement;
pub mod table;
pub mod time;
pub mod uscc;
pub mod words;

pub use actor::{Actor, Channel, Principal};
pub use clock::{Clock, ManualClock, SystemClock};
pub use codes::NationalCode;
pub use error_chain::error_chain;
pub use failure::{Failure, FailureKind};
pub use kinds::{Kind, Kinds};
pub use malformed::Malformed;
pub use money::Fen;
pub use quota::QuotaUse;
pub use recent::Recent;
pub use region::Region;
pub use resident_id::ResidentId;
pub use rng::{Entropy, SeededEntropy, SystemEntropy};
pub use table::TableError;
pub use time::{Day, HalfYear, Month, Timestamp};
pub use uscc::Uscc;
