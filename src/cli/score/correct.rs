//! `medcredit score correct`: corrects a published grade.

use std::io::Write;

use crate::{
    cli::{Context, operator::Operator},
    grading::{AssessmentSummary, Correction, Rounds},
};

/// Correct a published grade from the current records; banks and platforms are notified.
#[derive(Debug, clap::Args)]
pub(super) struct Correct {
    /// The subject's code
    subject: String,
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

/// Corrects a grade.
pub(super) async fn correct(rounds: &Rounds, args: &Correct, ctx: &Context) -> anyhow::Result<()> {
    let done = rounds
        .correct(Correction {
            subject: &args.subject,
            run: args.run.as_deref(),
            reason: &args.reason,
            actor: &args.operator.actor(ctx)?,
        })
        .await?;
    let mut out = ctx.out();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&done)?)?;
    } else if done.changed {
        let (before, now) = (in_words(&done.before), in_words(&done.now));
        writeln!(out, "{} in {}: version {} is {now}; it was {before}", done.subject_code, done.run, done.version)?;
        for head in &done.heads {
            let (before, now) = (in_words(&head.before), in_words(&head.now));
            writeln!(
                out,
                "{}, head of its chain: version {} is {now}; it was {before}",
                head.subject_code, head.version
            )?;
        }
        writeln!(out, "banks read it from now on, and are notified to read again")?;
    } else {
        let now = in_words(&done.now);
        writeln!(
            out,
            "{} in {}: version {} is {now} already, as the records give it; nothing was changed",
            done.subject_code, done.run, done.version
        )?;
    }
    Ok(())
}

fn in_words(summary: &AssessmentSummary) -> String {
    let points = summary.points.map(|points| points.to_string());
    let word = summary.grade.as_deref().or(summary.reason.as_deref()).unwrap_or(&summary.status);
    match points {
        Some(points) => format!("{word} ({points} points)"),
        None => word.to_owned(),
    }
}
