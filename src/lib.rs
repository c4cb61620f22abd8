//! The medical-insurance credit gateway. ARCHITECTURE.md describes it; the modules below are its rooms. Those of the levels 0
//! to 4 are compiled apart (`core.rs`).

#[doc(inline)]
pub use medcredit_core::{
    access, approvals, authority, backup, collection, config, consent, domain, facts, grading, i18n, identity,
    importing, ledger, limits, merkle, outbox, principals, scoring, store, synthetic, telemetry, timekeeping,
};

// Level 5: use cases that join several rooms: for banks, for the bureau's staff, for platforms.
pub mod disclosure;
pub mod dossier;
pub mod push;
// Level 6 and above: wiring, listeners, commands.
pub mod app;
pub mod cli;
pub mod http;
