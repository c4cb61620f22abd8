//! The rooms that serve no caller, a unit of compilation of their own: a change in the rooms above does not compile them
//! again. The crate above (`lib.rs`) exports them, so that each has one name.

// Level 0: values and terms of the trade, and the words of two languages.
pub mod domain;
pub mod i18n;
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
pub mod approvals;
pub mod authority;
pub mod backup;
pub mod collection;
pub mod consent;
pub mod grading;
pub mod importing;
pub mod limits;
pub mod principals;
pub mod synthetic;
