//! `medcredit score due`: published results that decisions about their facts have changed since.

use std::io::Write;

use super::correct::{due_with_progress, in_words};
use crate::{
    cli::Context,
    domain::error_chain,
    grading::{Decision, DueCorrection, DueScope, Rounds},
    store::Db,
};

/// Lists the corrections that are due.
pub(super) async fn list(rounds: &Rounds, days: u16, json: bool, ctx: &Context) -> anyhow::Result<()> {
    let found = due_with_progress(rounds, days, DueScope::All, ctx).await?;
    let mut out = ctx.out();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
        return Ok(());
    }
    for due in &found {
        let DueCorrection { subject_code, run, kind, period, before, after, due_on, .. } = due;
        let over = if due.is_overdue { ", which is over" } else { "" };
        writeln!(out, "{subject_code} in {run} ({kind} {period}): due by {due_on}{over}")?;
        writeln!(out, "  {} would become {}", in_words(before), in_words(after))?;
        for decision in &due.decisions {
            writeln!(out, "  {}", described(decision))?;
        }
    }
    if found.is_empty() {
        writeln!(out, "no published result differs from what the records give")?;
    } else {
        let overdue = found.iter().filter(|due| due.is_overdue).count();
        let count = results(found.len());
        writeln!(out, "{count}, {overdue} overdue: medcredit score correct --due --reason TEXT")?;
    }
    Ok(())
}

fn described(decision: &Decision) -> String {
    let Decision { what, reference, decision, on, import_seq } = decision;
    let by = decision.as_ref().map_or_else(String::new, |decision| format!(" by {decision}"));
    format!("{what}{by} on {on}: {reference} (import {import_seq})")
}

fn results(count: usize) -> String {
    if count == 1 { "1 published result differs".into() } else { format!("{count} published results differ") }
}

/// Reports how many published results differ after a decision that is stored already: an error in finding out is only a
/// warning.
pub(in crate::cli) async fn announce(db: &Db, days: u16, of: DueScope<'_>, ctx: &Context) -> anyhow::Result<()> {
    let rounds = Rounds::new(ctx.env(db));
    let found = match due_with_progress(&rounds, days, of, ctx).await {
        Ok(found) => found,
        Err(error) => {
            let error = error_chain(&error);
            writeln!(ctx.err(), "warning: published results could not be compared: {error}; see medcredit score due")?;
            return Ok(());
        }
    };
    let Some(until) = found.iter().map(|due| due.due_on).min() else {
        writeln!(ctx.out(), "no published result differs from what the records give now")?;
        return Ok(());
    };
    let count = results(found.len());
    let correct = match found.as_slice() {
        [one] => format!("medcredit score correct {} --reason TEXT", one.subject_code),
        _ => "medcredit score due lists them, medcredit score correct --due --reason TEXT corrects them".into(),
    };
    writeln!(ctx.out(), "{count} from what the records give now, to be corrected by {until}: {correct}")?;
    Ok(())
}
