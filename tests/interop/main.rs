//! Tests that need programs which are not Rust.

mod ledger;
