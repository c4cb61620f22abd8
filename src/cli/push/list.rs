//! `medcredit push list`: the platforms in force.

use std::io::Write;

use serde_json::json;

use super::Tables;
use crate::{cli::Context, push::platform::InForcePlatform};

/// Lists the platforms in force, by id.
pub(super) fn run(tables: &Tables, as_json: bool, ctx: &Context) -> anyhow::Result<()> {
    let platforms = tables.platforms(ctx)?;
    let mut out = ctx.out();
    if as_json {
        let list: Vec<_> = platforms.iter().map(to_json).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(());
    }
    let longest = platforms.iter().map(|found| found.checked.platform.id.len()).max().unwrap_or_default();
    for found in platforms.iter() {
        let platform = &found.checked.platform;
        let origin = found.file.as_ref().map_or_else(String::new, |file| format!("  ({})", file.display()));
        let (id, name, carrier) = (&platform.id, &platform.name_zh, platform.carrier.name());
        writeln!(out, "{id:longest$}  {carrier:8}  {:11}  {name}{origin}", platform.audience.as_str())?;
    }
    Ok(())
}

fn to_json(found: &InForcePlatform) -> serde_json::Value {
    let platform = &found.checked.platform;
    json!({
        "id": platform.id,
        "name": platform.name_zh,
        "carrier": platform.carrier.name(),
        "target": platform.carrier.target(),
        "audience": platform.audience,
        "kinds": platform.kinds,
        "schedule": { "grades": platform.schedule.grades, "usage": platform.schedule.usage },
        "sha256": platform.digest,
        "file": found.file.as_ref().map(|file| file.display().to_string()),
    })
}
