//! `medcredit score ...`: rounds of grades. One file for each matter.

mod correct;
mod export;
mod figures;
mod replay;
mod report;
mod state;
mod verify_package;

use std::io::Write;

use super::{
    Context, Usage,
    model::{known, library},
    operator::Operator,
};
use crate::{
    domain::{Actor, HalfYear},
    grading::{InForce, Library, Rounds},
};

/// Make rounds of grades, publish and explain them.
#[derive(Debug, clap::Args)]
pub(super) struct Score {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    #[command(flatten)]
    Held(Held),
    /// Verify a package, offline, check by check, with nothing but the gateway's public keys
    VerifyPackage(verify_package::VerifyPackage),
}

/// What is done where the rounds are.
#[derive(Debug, clap::Subcommand)]
enum Held {
    /// Rate every subject of a model's kind for a half-year, as a trial that nobody outside sees
    Run {
        /// The model's id; needed where more than one is in force
        #[arg(long, value_name = "ID")]
        model: Option<String>,
        /// The half-year, as in 2026-H1; without it, the last one that is over
        #[arg(long, value_name = "HALF-YEAR")]
        period: Option<HalfYear>,
        #[command(flatten)]
        operator: Operator,
        /// The report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Open a trial to its subjects' objections (预评定): it does not count yet
    Preassess {
        /// The run's id
        run: String,
        #[command(flatten)]
        operator: Operator,
    },
    /// Put a trial or a pre-assessment in force: from now on banks read its grades
    Publish {
        /// The run's id
        run: String,
        #[command(flatten)]
        operator: Operator,
    },
    /// Give up a run that was never published, and remove its results
    Discard {
        /// The run's id
        run: String,
        #[command(flatten)]
        operator: Operator,
    },
    /// Tell everything about a run: where it stands, what came of it, its digests
    Show {
        /// The run's id
        run: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell how a subject's points came about: in the round in force, or in a run
    Explain {
        /// The subject's code
        subject: String,
        /// The run's id
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what came of a run in numbers, or write the report of a round
    Report(report::ReportArgs),
    /// Put two runs beside each other: agreement, who differs, and by how much
    Compare(figures::Compare),
    /// Tell what would follow if a run were published: who moves, and what measures follow for how many
    Simulate {
        /// The run's id
        run: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell how each indicator is spread: what is missing, at its cap, or does not go with the rest
    Bias(figures::Bias),
    /// List every run, latest first
    List,
    /// Reckon a run again from what it kept, and compare everything; fails where anything differs
    Replay {
        /// The run's id
        run: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a published result a new version, from the records and the file as they are now; banks and platforms are told
    Correct(correct::Correct),
    /// Make a signed package of the round in force for a receiver, such as the city's personal score
    Export(export::Export),
}

/// Runs the command.
pub(super) async fn run(args: Score, ctx: &Context) -> anyhow::Result<()> {
    match args.verb {
        Verb::Held(verb) => held(verb, ctx).await,
        Verb::VerifyPackage(args) => verify_package::run(&args, ctx),
    }
}

async fn held(verb: Held, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let rounds = Rounds::new(ctx.env(&db));
    let rounds = rounds.with_objections(config.grading.objection_days);
    match verb {
        Held::Run { model, period, operator, json } => {
            let library = library(ctx)?;
            let model = model.map_or_else(|| only(&library), Ok)?;
            let period = period.unwrap_or_else(|| HalfYear::of(ctx.clock.now().day().month()).plus(-1));
            let in_force = library.get(&model).map_err(known)?;
            make(&rounds, &operator.actor(ctx)?, in_force, period, json, ctx).await?;
        }
        Held::Preassess { run, operator } => state::preassess(&rounds, &operator.actor(ctx)?, &run, ctx).await?,
        Held::Publish { run, operator } => {
            state::publish(&rounds, &operator.actor(ctx)?, &run, config.grading.grace_months, ctx).await?;
        }
        Held::Discard { run, operator } => state::discard(&rounds, &operator.actor(ctx)?, &run, ctx).await?,
        Held::Show { run, json } => state::show(&rounds, &run, json, ctx).await?,
        Held::Explain { subject, run, json } => {
            let explained = rounds.explain(&subject, run.as_deref()).await?;
            if json {
                writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&explained)?)?;
            } else {
                write!(ctx.out(), "{}", explained.to_text())?;
            }
        }
        Held::Report(args) => report::report(&rounds, &args, &config, ctx).await?,
        Held::Compare(args) => figures::compare(&rounds, &args, ctx).await?,
        Held::Simulate { run, json } => figures::simulate(&rounds, &run, json, ctx).await?,
        Held::Bias(args) => figures::bias(&rounds, &args, ctx).await?,
        Held::List => state::list(&rounds, ctx).await?,
        Held::Replay { run, json } => replay::replay(&rounds, &run, json, ctx).await?,
        Held::Export(args) => export::export(&args, ctx).await?,
        Held::Correct(args) => correct::correct(&rounds, &args, ctx).await?,
    }
    db.close().await;
    Ok(())
}

/// The model in force, where there is only one.
fn only(library: &Library) -> anyhow::Result<String> {
    let ids: Vec<&str> = library.models().map(crate::scoring::Model::id).collect();
    match ids.as_slice() {
        [one] => Ok((*one).to_owned()),
        several => {
            Err(Usage(format!("several models are in force, name one with --model: {}", several.join(", "))).into())
        }
    }
}

async fn make(
    rounds: &Rounds,
    actor: &Actor,
    in_force: InForce<'_>,
    period: HalfYear,
    json: bool,
    ctx: &Context,
) -> anyhow::Result<()> {
    let bar = ctx.progress(Some(0), "rating");
    let progress = |done: usize, of: usize| {
        bar.set_length(u64::try_from(of).unwrap_or(0));
        bar.set_position(u64::try_from(done).unwrap_or(0));
    };
    let done = rounds.run(actor, in_force, period, &progress).await;
    bar.finish_and_clear();
    let done = done?;
    if done.unknown > 0 {
        writeln!(ctx.err(), "{} records are of measures that the catalogue does not have", done.unknown)?;
    }
    report::numbers(rounds, &done.id.to_string(), json, ctx).await?;
    if !json {
        writeln!(ctx.out(), "To put it in force: medcredit score publish {}", done.id)?;
    }
    Ok(())
}
