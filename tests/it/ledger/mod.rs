//! The ledger: recorded before released, linearizable with revocation, and telling on whoever changes it.

mod budgets;
mod command;
mod faults;
mod proofs;
mod recording;
mod revocation;
mod sealing;
mod vandal;
mod vectors;
mod verifying;
mod world;
