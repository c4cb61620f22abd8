//! The `medcredit` command.

fn main() {}
