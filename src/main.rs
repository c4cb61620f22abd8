//! The `medcredit` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    medcredit::cli::main(std::env::args_os())
}
