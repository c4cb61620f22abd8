//! Readers during an import of a million settlement rows by the command, as an operator runs it.

use std::{path::Path, process::Command, time::Duration};

use anyhow::Result;

use super::{
    banks::read,
    city,
    site::{On, Site, What},
    table::say,
};

/// Months of each institution in the file: a million rows.
const MONTHS: i32 = 230;

pub(super) async fn run() -> Result<()> {
    for (on, name) in [(On::Sqlite, "SQLite"), (On::Postgres, "PostgreSQL")] {
        let mut site = Site::make(on).await?;
        let file = site.path().join("million.csv");
        // Months in the past: the cached readings stay valid until the import is accepted, when all are read again.
        city::settlements(&file, city::INSTITUTIONS, MONTHS, city::last_month().plus(-city::MONTHS))?;
        let gateway = site.gateway().await?;
        let requests = site.requests(What::Settlements);
        for connections in [8, 64] {
            let open = site.connect(&gateway, connections).await?;
            let (mut alone, open) = read(open, &requests, tokio::time::sleep(Duration::from_secs(3))).await?;
            say(&format!(
                "{name}, {connections} readers alone: {:.0} a second, p99 {:.1} ms",
                alone.per_second(),
                alone.percentile(990)
            ))?;
            drop(open);
        }
        // On both cores: on either it competes with another process.
        let mut import = Command::new("taskset");
        import.args(["-c", "0,1"]).arg(Path::new(env!("CARGO_BIN_EXE_medcredit")));
        import.args(["import", "settlements"]).arg(&file).arg("--config").arg(site.config_file());
        let mut import = import.stdout(std::process::Stdio::null()).spawn()?;
        let mut ended = None;
        let open = site.connect(&gateway, 64).await?;
        let until = async {
            while ended.is_none() {
                ended = import.try_wait().ok().flatten();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let (mut seen, _) = read(open, &requests, until).await?;
        anyhow::ensure!(ended.is_some_and(|status| status.success()), "the import failed");
        say(&format!(
            "{name}, 64 readers beside the import ({:.1} s): {:.0} a second, p50 {:.1} ms, p99 {:.1} ms, {} not answered",
            seen.during.as_secs_f64(),
            seen.per_second(),
            seen.percentile(500),
            seen.percentile(990),
            seen.refused
        ))?;
        gateway.stop()?;
    }
    Ok(())
}
