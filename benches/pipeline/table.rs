//! The table.

use std::{io::Write, process::Command, time::Duration};

use anyhow::Result;

use super::{
    GATEWAY_CORE,
    banks::Seen,
    process::Measured,
    site::{On, Site, What},
};

const FULL: usize = 64;
const FEW: usize = 8;

/// A line of the table.
struct Line {
    name: String,
    full: Seen,
    few: Option<Seen>,
    cpu: Duration,
}

pub(super) fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(std::io::stdout().flush()?)
}

async fn line(site: &Site, to: &Measured, name: String, what: What, few: bool) -> Result<Line> {
    let (full, cpu) = site.measure(to, what, FULL, Duration::from_secs(4)).await?;
    let few = if few { Some(site.measure(to, what, FEW, Duration::from_secs(2)).await?.0) } else { None };
    if let Some(refusal) = full.refusal {
        anyhow::bail!("{} were not answered beside {} that were: {refusal}", full.refused, full.answers);
    }
    Ok(Line { name, full, few, cpu })
}

fn print(lines: Vec<Line>, floor: f64) -> Result<()> {
    for Line { name, mut full, few, cpu } in lines {
        let a_second = full.per_second();
        let cpu = cpu.as_secs_f64() * 1e6 / (a_second * full.during.as_secs_f64());
        let (p50, p99) = (full.percentile(500), full.percentile(990));
        let few = few.map_or_else(
            || "        -        -".to_owned(),
            |mut few| format!("{:9.2}{:9.2}", few.percentile(500), few.percentile(990)),
        );
        say(&format!("{name:28}{a_second:9.0}{:8.2}{cpu:9.1}{p50:9.2}{p99:9.2}{few}", a_second / floor))?;
    }
    Ok(())
}

/// Prints the table.
pub(super) async fn run() -> Result<()> {
    say(&format!("{FULL} keep-alive connections over mutual TLS 1.3, HTTP/1.1, 8 banks, 1000 consents"))?;
    let mut sqlite = Site::make(On::Sqlite).await?;
    let mut postgres = Site::make(On::Postgres).await?;
    for what in [What::Grade, What::Settlements] {
        let mut lines = Vec::new();
        let mut notes = Vec::new();
        let mut bytes = 0;
        let mut ours = Vec::new();
        for (site, name) in [(&mut sqlite, "SQLite"), (&mut postgres, "PostgreSQL")] {
            let gateway = site.gateway().await?;
            notes.push(format!(
                "{name}: ready after {:.2} s, {:.0} MB idle",
                gateway.ready_after.as_secs_f64(),
                gateway.resident_mb()?
            ));
            bytes = site.one(&gateway, what).await?;
            ours.push(line(site, &gateway, format!("the whole cycle, {name}"), what, true).await?);
            notes.push(format!("{name}: {:.0} MB after it", gateway.resident_mb()?));
            gateway.stop()?;
        }
        let floor = sqlite.floor(bytes, false).await?;
        lines.push(line(&sqlite, &floor, "floor A: mTLS and axum".into(), what, false).await?);
        drop(floor);
        let floor = sqlite.floor(bytes, true).await?;
        let signed = line(&sqlite, &floor, "floor B: A and a signature".into(), what, false).await?;
        drop(floor);
        let least = signed.full.per_second();
        lines.push(signed);
        lines.extend(ours);
        say(&format!("\n{}: {bytes} bytes with headers", what.path()))?;
        say("                            answers/s  of B   us CPU   p50 ms   p99 ms  p50 at 8 p99 at 8")?;
        print(lines, least)?;
        say(&notes.join("; "))?;
    }
    say("\nWhere the time goes, of a lone answer, each step apart:")?;
    for (site, name) in [(&sqlite, "SQLite"), (&postgres, "PostgreSQL")] {
        let config = site.config_file();
        let mut command = Command::new("taskset");
        command.args(["-c", GATEWAY_CORE]).arg(std::env::current_exe()?).arg("steps").arg(config);
        say(name)?;
        anyhow::ensure!(command.status()?.success(), "the steps");
    }
    Ok(())
}

/// One load for a while, compared with the floor with a signature.
pub(super) async fn load(engine: &str, what: &str, seconds: u64) -> Result<()> {
    let on = if engine == "sqlite" { On::Sqlite } else { On::Postgres };
    let what = if what == "grade" { What::Grade } else { What::Settlements };
    let during = Duration::from_secs(seconds);
    let mut site = Site::make(on).await?;
    let gateway = site.gateway().await?;
    say(&format!("the gateway is process {}", gateway.id()))?;
    let bytes = site.one(&gateway, what).await?;
    let (full, cpu) = site.measure(&gateway, what, FULL, during).await?;
    if let Some(refusal) = &full.refusal {
        say(&format!("{} were not answered: {refusal}", full.refused))?;
    }
    let batches = site.answers_a_commit().await?;
    let few = Some(site.measure(&gateway, what, FEW, during).await?.0);
    gateway.stop()?;
    let floor = site.floor(bytes, true).await?;
    let (signed, of_floor) = site.measure(&floor, what, FULL, during).await?;
    let least = signed.per_second();
    let floor = Line { name: "floor B: A and a signature".into(), full: signed, few: None, cpu: of_floor };
    print(vec![Line { name: format!("{engine}, {}", what.path()), full, few, cpu }, floor], least)?;
    say(&format!("{batches:.1} answers a commit at {FULL}"))
}
