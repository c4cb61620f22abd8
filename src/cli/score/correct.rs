//! `medcredit score correct`: corrects a published grade, or all for which a correction is due.

use std::io::Write;

use crate::{
    cli::{Context, context::NothingDone, operator::Operator},
    domain::{Actor, error_chain},
    grading::{AssessmentSummary, Corrected, Correction, DueCorrection, DueScope, GradingError, Rounds},
};

/// Correct a published grade from the current records; banks and platforms are notified.
#[derive(Debug, clap::Args)]
pub(super) struct Correct {
    /// The subject's code
    #[arg(required_unless_present = "due", conflicts_with = "due")]
    subject: Option<String>,
    /// Correct every result for which a correction is due (`score due` lists them), each for itself
    #[arg(long, conflicts_with = "run")]
    due: bool,
    /// The reason, for the correction and the ledger; banks never see it. Name no person
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The round's id [default: the round in force of the subject's kind]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    #[command(flatten)]
    operator: Operator,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Corrects a grade, or those that are due.
pub(super) async fn correct(rounds: &Rounds, args: &Correct, days: u16, ctx: &Context) -> anyhow::Result<()> {
    let actor = args.operator.actor(ctx)?;
    let Some(subject) = &args.subject else { return correct_due(rounds, args, days, &actor, ctx).await };
    let of = Correction { subject, run: args.run.as_deref(), reason: &args.reason, actor: &actor };
    let done = rounds.correct(of).await?;
    if args.json {
        writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&done)?)?;
        return Ok(());
    }
    print(&done, ctx)?;
    if done.changed {
        writeln!(ctx.out(), "banks read it from now on, and are notified to read again")?;
    }
    Ok(())
}

/// The corrections that are due, with a progress bar on a terminal.
pub(super) async fn due_with_progress(
    rounds: &Rounds,
    days: u16,
    of: DueScope<'_>,
    ctx: &Context,
) -> Result<Vec<DueCorrection>, GradingError> {
    let bar = ctx.progress(Some(0), "recomputing");
    let found = rounds
        .due(days, of, &|done, all| {
            bar.set_length(u64::try_from(all).unwrap_or(0));
            bar.set_position(u64::try_from(done).unwrap_or(0));
        })
        .await;
    bar.finish_and_clear();
    found
}

/// Corrects what is due, one result after the other. What fails keeps no other from its correction.
async fn correct_due(rounds: &Rounds, args: &Correct, days: u16, actor: &Actor, ctx: &Context) -> anyhow::Result<()> {
    let due = due_with_progress(rounds, days, DueScope::All, ctx).await?;
    let bar = ctx.progress(Some(u64::try_from(due.len()).unwrap_or(0)), "correcting");
    let (mut corrected, mut failed) = (Vec::new(), Vec::new());
    for one in &due {
        let run = Some(one.run.as_str());
        let of = Correction { subject: &one.subject_code, run, reason: &args.reason, actor };
        match rounds.correct(of).await {
            Ok(done) => corrected.push(done),
            Err(error) => failed.push(format!("{} in {}: {}", one.subject_code, one.run, error_chain(&error))),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if args.json {
        writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&corrected)?)?;
    } else {
        for done in &corrected {
            print(done, ctx)?;
        }
    }
    for line in &failed {
        writeln!(ctx.err(), "{line}")?;
    }
    anyhow::ensure!(failed.is_empty(), "{} of {} results could not be corrected", failed.len(), due.len());
    if args.json {
        return if due.is_empty() { Err(NothingDone.into()) } else { Ok(()) };
    }
    if due.is_empty() {
        writeln!(ctx.out(), "no correction is due")?;
        return Err(NothingDone.into());
    }
    let changed = corrected.iter().filter(|done| done.changed).count();
    writeln!(ctx.out(), "{changed} corrected; banks read them from now on, and are notified to read again")?;
    Ok(())
}

fn print(done: &Corrected, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    let now = in_words(&done.now);
    if !done.changed {
        writeln!(
            out,
            "{} in {}: version {} is {now} already, as the records give it; nothing was changed",
            done.subject_code, done.run, done.version
        )?;
        return Ok(());
    }
    let before = in_words(&done.before);
    writeln!(out, "{} in {}: version {} is {now}; it was {before}", done.subject_code, done.run, done.version)?;
    for head in &done.heads {
        let (before, now) = (in_words(&head.before), in_words(&head.now));
        writeln!(out, "{}, head of its chain: version {} is {now}; it was {before}", head.subject_code, head.version)?;
    }
    Ok(())
}

/// A result in a few words.
pub(super) fn in_words(summary: &AssessmentSummary) -> String {
    let points = summary.points.map(|points| points.to_string());
    let word = summary.grade.as_deref().or(summary.reason.as_deref()).unwrap_or(&summary.status);
    match points {
        Some(points) => format!("{word} ({points} points)"),
        None => word.to_owned(),
    }
}
