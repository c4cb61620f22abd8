//! Tests through the public interfaces: one binary, one module per subject.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot continue fails")]
#![expect(
    clippy::pedantic,
    clippy::type_complexity,
    reason = "a test is written to be read; pedantic idioms would not help"
)]
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` here says what other modules may use")]

mod support;

mod approvals;
mod architecture;
mod authority;
mod backup;
mod bad_data;
mod bank;
mod catalogue;
mod cli;
mod clocks;
mod config;
mod consent;
mod console;
mod crash;
mod deliveries;
mod deploy;
mod documented;
mod examples;
mod faults;
mod gateways;
mod grading;
mod history;
mod i18n;
mod importing;
mod invariants;
mod ledger;
mod listener;
mod logs;
mod oauth;
mod openapi;
mod operations;
mod outbox;
mod portal;
mod principals;
mod problems;
mod push;
mod push_carriers;
mod push_delivery;
mod readme;
mod scoring;
mod storage;
mod subjects;
mod synthetic;
mod telemetry;
mod threats;
mod words;
