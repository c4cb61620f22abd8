//! The ledger: recorded before released, linearizable with revocation, and tamper-evident.

mod budgets;
mod command;
mod comparison;
mod faults;
pub mod fixture;
mod history;
mod incremental;
mod proofs;
mod recording;
mod revocation;
mod sealing;
mod state;
pub mod vandal;
mod vectors;
mod verifying;
mod wrong_days;
