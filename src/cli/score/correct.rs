//! `medcredit score correct`: a published result gets a new version.

use std::io::Write;

use crate::{
    cli::{Context, operator::Operator},
    grading::{AssessmentSummary, Correction, Rounds},
};

/// Give a published result a new version.
#[derive(Debug, clap::Args)]
pub(super) struct Correct {
    /// The subject's code
    subject: String,
    /// Why: kept with the correction and in the ledger, and never told to banks; name no person
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The round; without it the one in force of the subject's kind
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    #[command(flatten)]
    operator: Operator,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Corrects a result.
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
        writeln!(out, "{} in {}: version {} says {now}; it was {before}", done.subject_code, done.run, done.version)?;
        writeln!(out, "banks read it from now on, and are told to ask again")?;
    } else {
        let now = in_words(&done.now);
        writeln!(
            out,
            "{} in {}: version {} already says {now}, which is what the records come to; nothing was changed",
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
