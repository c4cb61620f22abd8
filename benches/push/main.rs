//! The speed of carriers of packages, compared with their least possible cost. docs/PERFORMANCE.md describes the method.
//!
//! `cargo bench --bench push`            the table: each carrier beside its floor
//! `cargo bench --bench push -- million` a round of a million results, made and delivered over HTTPS, with its peak memory
//!
//! Carriers and floors run on one core, and take turns; the platform (a receiver over HTTPS, PostgreSQL) is on another. Linux,
//! `taskset`, `initdb` and `pg_ctl` are needed.

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
mod exchange;
mod file;
mod https;
#[path = "../scoring/memory.rs"]
mod memory;
mod million;
mod receiver;
mod rows;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

/// The core of carriers and floors.
const CARRIER_CORE: &str = "0";
/// The core of everything else.
const OTHER_CORE: &str = "1";
/// How often each is measured. The median counts.
const ROUNDS: usize = 7;

/// Runs a future to its end on a runtime of its own.
fn block_on<F: Future>(body: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    #[expect(clippy::expect_used, reason = "nothing can be measured without")]
    runtime.enable_all().build().expect("a runtime starts").block_on(body)
}

/// What is measured, and the least that it could cost.
struct Pair {
    name: &'static str,
    floor: &'static str,
    target: f64,
    /// The time of each round: of the carrier, and of its floor.
    rounds: Vec<(Duration, Duration)>,
}

impl Pair {
    fn new(name: &'static str, floor: &'static str, target: f64) -> Self {
        Self { name, floor, target, rounds: Vec::new() }
    }

    fn line(&self) -> String {
        let speed = |mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            rows::ALL_F / times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let ours = speed(self.rounds.iter().map(|(ours, _)| ours.as_secs_f64()).collect());
        let floor = speed(self.rounds.iter().map(|(_, floor)| floor.as_secs_f64()).collect());
        // Of each round, so that what slows both down for a while does not count.
        let mut ratios: Vec<f64> =
            self.rounds.iter().map(|(ours, floor)| floor.as_secs_f64() / ours.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        let at = |nth: usize| ratios.get(nth).copied().unwrap_or(f64::NAN);
        format!(
            "| {} | {ours:.0} | {} | {floor:.0} | {:.2} ({:.2} to {:.2}) | {} |",
            self.name,
            self.floor,
            at(ratios.len() / 2),
            at(0),
            at(ratios.len().saturating_sub(1)),
            self.target
        )
    }
}

/// The address of the receiver and of the database, as files of a folder.
struct Site {
    folder: PathBuf,
}

impl Site {
    fn port(&self) -> Result<u16> {
        Ok(std::fs::read_to_string(self.folder.join("port"))?.trim().parse()?)
    }
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

async fn table(folder: &Path) -> Result<()> {
    let site = Site { folder: folder.to_owned() };
    say(
        "| carrier | rows/s | floor | rows/s | of the floor, median (least to most) | target |\n|---|---|---|---|---|---|",
    )?;
    say(&https::measure(&site).await?.line())?;
    say(&file::measure(&site).await?.line())?;
    say(&exchange::measure(&site).await?.line())
}

/// This program again, on a core.
fn on_core(core: &str, args: &[&str]) -> Result<Command> {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(std::env::current_exe()?).args(args);
    Ok(command)
}

/// The platform: it stays on its core, starts the measurement on the other one, and ends with it.
fn platform(mode: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    receiver::make_pki(folder.path())?;
    block_on(async {
        let port = receiver::serve(folder.path()).await?;
        std::fs::write(folder.path().join("port"), port.to_string())?;
        if mode == "table" {
            exchange::prepare(folder.path()).await?;
        }
        let mut measurement = on_core(CARRIER_CORE, &[mode, folder.path().to_str().context("a plain path")?])?;
        let status = tokio::task::spawn_blocking(move || measurement.status()).await?;
        ensure!(status.context("taskset (util-linux) is needed")?.success(), "the measurement failed");
        Ok(())
    })
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["platform", mode] => platform(mode),
        ["table", folder] => block_on(table(Path::new(folder))),
        ["million", folder] => block_on(million::run(Path::new(folder))),
        [] | ["million"] => {
            let mode = args.first().copied().unwrap_or("table");
            let status = on_core(OTHER_CORE, &["platform", mode])?.status();
            ensure!(status.context("taskset (util-linux) is needed")?.success(), "the measurement failed");
            Ok(())
        }
        other => anyhow::bail!("unknown mode: {}", other.join(" ")),
    }
}
