//! Tests through the front door: one binary, one module per matter.
fn main() {}
