//! The medical-insurance credit gateway. ARCHITECTURE.md tells the whole; the modules below are its rooms, lowest first.

// Level 0: the words of the trade.
pub mod domain;
// Level 1: pure rules.
pub mod facts;
pub mod identity;
pub mod merkle;
pub mod scoring;
// Level 2: settings, storage, and what the operator sees.
pub mod config;
pub mod store;
pub mod telemetry;
// Level 3: what must be durable.
pub mod ledger;
pub mod outbox;
// Level 4: use-cases of one matter each.
pub mod access;
pub mod authority;
pub mod collection;
pub mod consent;
pub mod grading;
pub mod importing;
pub mod limits;
pub mod synthetic;
// Level 5: the one place that joins them for a bank.
pub mod disclosure;
// And for the bureau.
pub mod dossier;
// And for platforms.
pub mod push;
// Level 6 and up: wiring, surfaces, commands.
pub mod app;
pub mod cli;
pub mod http;
