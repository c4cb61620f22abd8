//! Tests that need programs which are not Rust.
fn main() {}
