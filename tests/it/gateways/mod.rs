//! Several processes on one database: two gateways on PostgreSQL, a gateway and a command line on either engine.

mod budgets;
mod failover;
mod frozen;
mod order;
mod sealing;
mod state;

/// Quotas nobody reaches: they are counted in each process, and are not what these tests are about.
const UNLIMITED: &str =
    "[limits]\nburst = { quota = 100000, window_seconds = 1 }\nsustained = { quota = 100000, window_seconds = 60 }";
