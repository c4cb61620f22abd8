//! `medcredit push status|holders|reconcile`: what platforms were sent, answered and hold.

use std::io::Write;

use super::site::Site;
use crate::{
    cli::{Context, OrFail as _},
    push::delivery::{Difference, PackageState, PlatformState, holders},
};

/// Shows platforms with their packages.
pub(super) async fn status(named: &[String], as_json: bool, ctx: &Context) -> anyhow::Result<()> {
    let site = Site::open(ctx).await?;
    let mut states = Vec::new();
    for platform in site.chosen(named)? {
        states.push(site.deliveries.state(&platform).await?);
    }
    site.close().await;
    let mut out = ctx.out();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&states)?)?;
        return Ok(());
    }
    for state in &states {
        let PlatformState { platform, name, carrier, target, sent, accepted, rejected, waiting, .. } = state;
        writeln!(out, "{platform}  {name}  {carrier} {target}: {}", state.state)?;
        writeln!(out, "  {sent} rows, {accepted} accepted, {rejected} rejected, {waiting} not answered yet")?;
        for line in troubles(state) {
            writeln!(out, "  {line}")?;
        }
        for package in &state.packages {
            writeln!(out, "  {}", package_line(package))?;
        }
    }
    Ok(())
}

fn package_line(of: &PackageState) -> String {
    let PackageState { number, state, cause, dataset, period, rows, sent, accepted, .. } = of;
    let day = of.made_at.day();
    let mut parts = vec![format!(
        "package {number}, {dataset} of {period}, {cause}, {day}: {state}: {sent} of {rows} sent, {accepted} accepted"
    )];
    for (number, words) in [
        (of.rejected, "rejected"),
        (of.resolved, "resolved"),
        (of.waived, "waived"),
        (of.withheld, "withheld"),
        (of.pages_waiting, "pages waiting"),
        (of.pages_dead, "pages GIVEN UP"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    }
    if of.is_overdue {
        parts.push(format!("OVERDUE since {}", of.due_at.day()));
    }
    parts.join(", ")
}

/// What keeps a platform from having everything, and what to do.
pub(super) fn troubles(state: &PlatformState) -> Vec<String> {
    let platform = &state.platform;
    let mut lines = Vec::new();
    if let Some(paused) = &state.paused {
        lines.push(format!("paused {paused}: medcredit push resume {platform}"));
    }
    if let Some(until) = state.stopped_until {
        lines.push(format!(
            "nothing is delivered until {until}, after failures: medcredit push resume {platform} tries immediately"
        ));
    }
    if let Some(error) = state.last_error.as_ref().filter(|_| state.state != "working") {
        lines.push(format!("last failure: {error}"));
    }
    if state.packages.iter().any(|package| package.pages_dead > 0) {
        lines.push(format!("pages were given up: remove the cause, then medcredit push retry {platform} --pages"));
    }
    if state.rejected > 0 {
        lines.push(format!("{} rows are rejected: medcredit push rejects {platform}", state.rejected));
    }
    lines
}

/// Lists who holds which version of a subject's records.
pub(super) async fn subject(code: &str, as_json: bool, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let found = holders(&ctx.env(&db), code).await.or_fail()?;
    db.close().await;
    let mut out = ctx.out();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
        return Ok(());
    }
    for holder in &found {
        let holds = if holder.holds { "holds" } else { "does not hold" };
        let has = holder.has.map(|version| format!(", accepted version {version}")).unwrap_or_default();
        writeln!(
            out,
            "{}  {holds}  {}  version {} {} {}{has}",
            holder.platform, holder.record_id, holder.version, holder.operation, holder.state
        )?;
    }
    if found.is_empty() {
        writeln!(out, "no platform was sent anything about {code}")?;
    }
    Ok(())
}

/// Compares what a platform lists with what we say that it holds.
pub(super) async fn reconcile(platform: &str, as_json: bool, ctx: &Context) -> anyhow::Result<()> {
    let site = Site::open(ctx).await?;
    site.chosen(&[platform.to_owned()])?;
    let found = site.deliveries.reconcile(platform).await?;
    site.close().await;
    for fault in &found.faults {
        writeln!(ctx.err(), "{platform}: an entry cannot be read: {fault}")?;
    }
    let mut out = ctx.out();
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
    } else {
        for difference in &found.differences {
            writeln!(out, "{}", difference_line(difference))?;
        }
        let more = found.different.saturating_sub(u64::try_from(found.differences.len()).unwrap_or(u64::MAX));
        if more > 0 {
            writeln!(out, "and {more} more")?;
        }
        writeln!(
            out,
            "{platform}: we say {} records, it lists {}: {} are the same, {} differ, {} are not answered yet",
            found.ours, found.theirs, found.same, found.different, found.unanswered
        )?;
    }
    let wrong = found.different + u64::try_from(found.faults.len()).unwrap_or(u64::MAX);
    anyhow::ensure!(wrong == 0, "{platform} does not hold what it should");
    Ok(())
}

fn difference_line(difference: &Difference) -> String {
    match difference {
        Difference::Missing { record_id, version } => format!("{record_id}: it has not version {version}"),
        Difference::Surplus { record_id, version, withdrawn: true } => {
            format!("{record_id}: it has version {version}, which we have withdrawn")
        }
        Difference::Surplus { record_id, version, withdrawn: false } => {
            format!("{record_id}: it has version {version}, which it took from nobody here")
        }
        Difference::Version { record_id, ours, theirs } => {
            format!("{record_id}: it has version {theirs} in place of {ours}")
        }
        Difference::Content { record_id, version } => format!("{record_id}: version {version} has other fields there"),
    }
}
