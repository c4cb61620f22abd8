//! The ledger's tables: appended to in batches, sealed by one sealer at a time, read for proofs and verification.

pub mod append;
pub mod audit;
pub mod epochs;
pub mod lookup;
pub mod seal;
pub mod servers;
