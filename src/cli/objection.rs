//! `medcredit objection open|decide|list`: objections of subjects to their results (异议).

use std::io::Write;

use super::{Context, Usage, operator::Operator};
use crate::grading::{NewObjection, Objection, ObjectionDecision, ObjectionDone, ObjectionOutcome, Rounds};

/// Record objections of subjects to their results, and decide them.
#[derive(Debug, clap::Args)]
pub(super) struct ObjectionCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Open an objection: until it is decided, banks and platforms do not get the subject's grade
    Open {
        /// The subject's code
        subject: String,
        /// The run whose result it is about
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// The reason, for the ledger; never shown outside. Name no person
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        operator: Operator,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Decide an objection: the subject's grade is read again; correct the facts and the grade before
    Decide {
        /// The objection's id
        objection: String,
        /// upheld, rejected or withdrawn
        #[arg(long, value_name = "OUTCOME")]
        outcome: ObjectionOutcome,
        /// The reason of the decision, for the ledger; never shown outside. Name no person
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        operator: Operator,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the open objections with the last day to decide each
    List {
        /// Decided ones too
        #[arg(long)]
        all: bool,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: ObjectionCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let rounds = Rounds::new(ctx.env(&db));
    match args.verb {
        Verb::Open { subject, run, reason, operator, json } => {
            let calendar = config.reference.calendar().map_err(|error| Usage(error.to_string()))?;
            let done = rounds
                .open_objection(
                    NewObjection {
                        subject: &subject,
                        run: run.as_deref(),
                        reason: &reason,
                        decide_within: config.grading.objection_decision_days,
                        actor: &operator.actor(ctx)?,
                    },
                    &calendar,
                )
                .await?;
            report(&done, json, ctx)?;
        }
        Verb::Decide { objection, outcome, reason, operator, json } => {
            let decision =
                ObjectionDecision { objection: &objection, outcome, reason: &reason, actor: &operator.actor(ctx)? };
            let done = rounds.decide_objection(decision).await?;
            report(&done, json, ctx)?;
        }
        Verb::List { all, json } => list(&rounds.objections(all).await?, json, ctx)?,
    }
    db.close().await;
    Ok(())
}

fn report(done: &ObjectionDone, json: bool, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(done)?)?;
        return Ok(());
    }
    let of = &done.objection;
    let already = if done.changed { "" } else { " already; nothing was changed" };
    match of.outcome {
        None => {
            writeln!(out, "{} of {} is open{already}, to be decided by {}", of.id, of.subject_code, of.due_on)?;
            writeln!(out, "its grade is withheld until then: medcredit objection decide {}", of.id)?;
        }
        Some(outcome) => {
            writeln!(out, "{} of {} was {outcome}{already}; its grade is read again", of.id, of.subject_code)?;
        }
    }
    Ok(())
}

fn list(objections: &[Objection], json: bool, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    let today = ctx.clock.now().day();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&objections)?)?;
        return Ok(());
    }
    for of in objections {
        let state = match of.outcome {
            Some(outcome) => outcome.to_string(),
            None if of.is_overdue(today) => format!("OVERDUE since {}", of.due_on),
            None => format!("by {}", of.due_on),
        };
        let run = of.run.as_deref().unwrap_or("-");
        writeln!(out, "{}  {}  {run}  opened {}  {state}  {}", of.id, of.subject_code, of.opened_at.day(), of.reason)?;
    }
    writeln!(out, "{} objections", objections.len())?;
    Ok(())
}
