//! The medical-insurance credit gateway. ARCHITECTURE.md describes it; the modules below are its rooms, lowest level first.

// Level 0: values and terms of the trade.
pub mod domain;
// Level 1: pure rules, without I/O.
pub mod facts;
pub mod identity;
pub mod merkle;
pub mod scoring;
// Level 2: settings, storage, logs and metrics.
pub mod config;
pub mod store;
pub mod telemetry;
// Level 3: durable records, outbound queues, and the comparison of clocks.
pub mod ledger;
pub mod outbox;
pub mod timekeeping;
// Level 4: use cases of one subject each.
pub mod access;
pub mod authority;
pub mod backup;
pub mod collection;
pub mod consent;
pub mod grading;
pub mod importing;
pub mod limits;
pub mod synthetic;
// Level 5: use cases that join several rooms: for banks, for the bureau's staff, for platforms.
pub mod disclosure;
pub mod dossier;
pub mod push;
// Level 6 and above: wiring, listeners, commands.
pub mod app;
pub mod cli;
pub mod http;
