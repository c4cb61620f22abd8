//! The speed of the gateway's answers, compared with their least possible cost. docs/PERFORMANCE.md describes the method.
//!
//! `cargo bench --bench pipeline`           the table: two floors, and the whole cycle on both engines
//! `cargo bench --bench pipeline -- commit` group commit, with 2 ms added to every commit
//! `cargo bench --bench pipeline -- import` readers while a million rows are imported
//! `cargo bench --bench pipeline -- load sqlite grade 20` one load for twenty seconds, for a profiler
//!
//! The gateway (or a floor) is a process of its own on one core; this process, which plays the banks, and PostgreSQL
//! are on another. Linux, `taskset` and, for PostgreSQL, `initdb` and `pg_ctl` are needed.

mod banks;
mod city;
#[path = "../../tests/it/support/cluster.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "the tests use more of it, and may give up"
)]
mod cluster;
mod commit;
mod floor;
mod import;
mod process;
mod site;
mod steps;
mod table;

use anyhow::Result;

/// The core of the gateway or of a floor.
const GATEWAY_CORE: &str = "0";
/// The core of everything else.
const OTHER_CORE: &str = "1";

/// Runs a future to its end on a runtime of its own.
fn block_on<F: Future>(body: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    #[expect(clippy::expect_used, reason = "nothing can be measured without")]
    runtime.enable_all().build().expect("a runtime starts").block_on(body)
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["floor", config, bytes, signs] => block_on(floor::serve(config, bytes.parse()?, *signs == "signed")),
        ["steps", config] => block_on(steps::measure(config)),
        ["pinned", rest @ ..] => match rest {
            [] => block_on(table::run()),
            ["commit"] => block_on(commit::run()),
            ["import"] => block_on(import::run()),
            ["load", engine, what, seconds] => block_on(table::load(engine, what, seconds.parse()?)),
            other => anyhow::bail!("unknown mode: {}", other.join(" ")),
        },
        rest => process::again_on(OTHER_CORE, rest),
    }
}
