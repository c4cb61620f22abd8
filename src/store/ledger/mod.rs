//! The ledger's tables: appended to in batches, sealed by one sealer at a time, read back for proofs and audits.

pub mod append;
pub mod audit;
pub mod delivery;
pub mod seal;
