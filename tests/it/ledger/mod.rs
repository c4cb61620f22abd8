//! The ledger: recorded before released, linearizable with revocation, and telling on whoever changes it.

mod budgets;
mod recording;
mod vectors;
mod world;
