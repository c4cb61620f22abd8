//! `medcredit fact void|restore`: takes the fact of a document back, or lets it count again.

use std::io::Write;

use clap::{Args, Subcommand};

use super::{Context, context::crypter, model::library, operator::Operator, score::announce_due};
use crate::{
    app,
    domain::Day,
    grading::DueScope,
    importing::{Decided, FactDecision, Importer, VoidAction},
};

/// Take a fact back by its document, after a reconsideration, a judgment or an error; nothing is deleted.
#[derive(Debug, Args)]
pub(super) struct FactCommand {
    #[command(flatten)]
    operator: Operator,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Take a fact back: it does not count from now on, nor if it is delivered again
    Void(Document),
    /// Let a fact count again that was taken back by mistake
    Restore(Document),
}

#[derive(Debug, Args)]
struct Document {
    /// The subject's code, such as H33030200090
    subject: String,
    /// The measure, such as insurance_penalty
    measure: String,
    /// The reference of the fact: the number of its document
    reference: String,
    /// The reason, for the ledger and the subject's file. Name no person
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The day of the decision [default: today]
    #[arg(long, value_name = "DAY")]
    decided_on: Option<Day>,
    /// The reference of the decision
    #[arg(long, value_name = "REFERENCE")]
    decision: Option<String>,
}

pub(super) async fn run(args: FactCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let references = app::reference_tables(&config, &library(ctx)?)?;
    let db = ctx.store(&config).await?;
    let crypter = crypter(&config, &db).await?;
    let importer = Importer::new(ctx.env(&db), args.operator.actor(ctx)?, crypter, references);
    let (action, document) = match args.action {
        Action::Void(document) => (VoidAction::Void, document),
        Action::Restore(document) => (VoidAction::Restore, document),
    };
    let decision = FactDecision {
        action,
        subject: document.subject,
        measure: document.measure,
        reference: document.reference,
        reason: document.reason,
        decided_on: document.decided_on.unwrap_or_else(|| ctx.clock.now().day()),
        decision: document.decision,
    };
    let decided = importer.decide(&decision).await?;
    print(&decision, &decided, ctx)?;
    if matches!(decided, Decided::Done { .. }) {
        announce_due(&db, config.push.correction_days, DueScope::Subject(&decision.subject), ctx).await?;
    }
    db.close().await;
    Ok(())
}

fn print(decision: &FactDecision, decided: &Decided, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    let FactDecision { subject, measure, reference, .. } = decision;
    let fact = format!("{subject} {measure} {reference}");
    match (decided, decision.action) {
        (Decided::Done { import_seq }, VoidAction::Void) => {
            writeln!(out, "{fact}: taken back, as import {import_seq}; it does not count from now on")?;
        }
        (Decided::Done { import_seq }, VoidAction::Restore) => {
            writeln!(out, "{fact}: counts again, as import {import_seq}")?;
        }
        (Decided::Already { import_seq }, VoidAction::Void) => {
            let by = import_seq.map_or_else(String::new, |seq| format!(" by import {seq}"));
            writeln!(out, "{fact}: was taken back already{by}; nothing was stored")?;
        }
        (Decided::Already { .. }, VoidAction::Restore) => {
            writeln!(out, "{fact}: is not taken back; nothing was stored")?;
        }
    }
    Ok(())
}
