//! Tests that need programs which are not Rust.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot continue fails")]

mod console;
mod demo;
mod ledger;
mod schemathesis;
