//! `medcredit score preassess|publish|discard|show|list`: the states of runs.

use std::io::Write;

use serde_json::json;

use crate::{
    approvals::Proposed,
    cli::Context,
    domain::Actor,
    grading::{GradingError, Rounds, RunState},
    i18n::Lang,
};

/// Opens a trial run to objections.
pub(super) async fn preassess(rounds: &Rounds, actor: &Actor, run: &str, ctx: &Context) -> anyhow::Result<()> {
    let done = rounds.preassess(actor, run).await?;
    let mut out = ctx.out();
    writeln!(out, "{} is open to objections of its {} subjects; it does not count yet", done.run, done.subjects)?;
    if let Some(until) = done.open_until {
        writeln!(out, "the last day of objections is {until}; it may be published from the next day on")?;
    }
    Ok(())
}

/// The publication of a run as a proposal, with the run that it would supersede.
pub(super) async fn proposed(rounds: &Rounds, run: &str) -> anyhow::Result<Proposed> {
    let runs = rounds.list().await?;
    let found = runs.iter().find(|row| row.id == run).ok_or_else(|| GradingError::NoSuchRun(run.to_owned()))?;
    let former = runs.iter().find(|row| {
        row.state == RunState::Published.as_str() && (&row.kind, &row.scheme) == (&found.kind, &found.scheme)
    });
    Ok(Proposed::PublishRun {
        run: found.id.clone(),
        kind: found.kind.clone(),
        period: found.period.clone(),
        former: former.map(|row| row.id.clone()),
    })
}

/// Publishes a run.
pub(super) async fn publish(
    rounds: &Rounds,
    actor: &Actor,
    run: &str,
    grace_months: u8,
    ctx: &Context,
) -> anyhow::Result<()> {
    let done = rounds.publish(actor, run, grace_months).await?;
    let mut out = ctx.out();
    writeln!(
        out,
        "{} of {} is in force: {} subjects, good until {}",
        done.run, done.period, done.subjects, done.valid_until
    )?;
    if let Some(former) = done.former {
        writeln!(out, "{former} is superseded")?;
    }
    Ok(())
}

/// Discards an unpublished run.
pub(super) async fn discard(rounds: &Rounds, actor: &Actor, run: &str, ctx: &Context) -> anyhow::Result<()> {
    rounds.discard(actor, run).await?;
    writeln!(ctx.out(), "{run} is discarded; its results are removed")?;
    Ok(())
}

/// Shows everything about a run.
pub(super) async fn show(rounds: &Rounds, run: &str, as_json: bool, ctx: &Context) -> anyhow::Result<()> {
    let history = rounds.history(run).await?;
    let report = rounds.report(run).await?;
    let corrections = rounds.corrections(run).await?;
    let mut out = ctx.out();
    if as_json {
        let document = json!({
            "report": report,
            "preassessed_at": history.preassessed_at,
            "open_until": history.open_until,
            "superseded_by": history.superseded_by,
            "ended_at": history.ended_at,
            "corrections": corrections,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    write!(out, "{}", report.to_text(&report.kind, Lang::En))?;
    writeln!(out, "made      {}", report.created_at)?;
    let dated = [
        ("opened to objections", history.preassessed_at),
        ("published", report.published_at),
        (history.state.as_str(), history.ended_at),
    ];
    for (what, at) in dated {
        if let Some(at) = at {
            writeln!(out, "{what} {at}")?;
        }
    }
    if let Some(until) = history.open_until {
        writeln!(out, "objections until the end of {until}")?;
    }
    if let Some(by) = history.superseded_by {
        writeln!(out, "superseded by {by}")?;
    }
    for one in corrections {
        writeln!(
            out,
            "corrected {}: version {} at {} by {}: {}",
            one.subject_code, one.version, one.at, one.operator, one.reason
        )?;
    }
    Ok(())
}

/// Lists all runs, latest first.
pub(super) async fn list(rounds: &Rounds, ctx: &Context) -> anyhow::Result<()> {
    for run in rounds.list().await? {
        writeln!(ctx.out(), "{}  {:<13}  {}  {}  {}", run.id, run.state, run.period, run.kind, run.model_id)?;
    }
    Ok(())
}
