//! `medcredit score run|publish|explain|report|list`: rounds of grades.

use std::io::Write;

use super::{
    Context, Usage,
    model::{known, library},
};
use crate::{
    domain::HalfYear,
    grading::{Library, Rounds},
};

/// Make rounds of grades, publish and explain them.
#[derive(Debug, clap::Args)]
pub(super) struct Score {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Rate every subject of a model's kind for a half-year, as a trial that nobody outside sees
    Run {
        /// The model's id; needed where more than one is in force
        #[arg(long, value_name = "ID")]
        model: Option<String>,
        /// The half-year, as in 2026-H1; without it, the last one that is over
        #[arg(long, value_name = "HALF-YEAR")]
        period: Option<HalfYear>,
        /// The report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Put a trial in force: from now on banks read its grades
    Publish {
        /// The run's id
        run: String,
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
    /// Tell what came of a run in numbers
    Report {
        /// The run's id
        run: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List every run, latest first
    List,
}

/// Runs the command.
pub(super) async fn run(args: Score, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let rounds = Rounds::new(db.clone(), ctx.clock.clone(), ctx.entropy.clone());
    match args.verb {
        Verb::Run { model, period, json } => {
            let library = library(ctx)?;
            let model = model.map_or_else(|| only(&library), Ok)?;
            let period = period.unwrap_or_else(|| HalfYear::of(ctx.clock.now().day().month()).plus(-1));
            make(&rounds, &library, (&model, period), json, ctx).await?;
        }
        Verb::Publish { run } => {
            let done = rounds.publish(&run, config.grading.grace_months).await?;
            let mut out = ctx.out();
            writeln!(
                out,
                "{} of {} is in force: {} subjects, good until {}",
                done.run, done.period, done.subjects, done.valid_until
            )?;
            if let Some(former) = done.former {
                writeln!(out, "{former} is superseded")?;
            }
        }
        Verb::Explain { subject, run, json } => {
            let explained = rounds.explain(&subject, run.as_deref()).await?;
            if json {
                writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&explained)?)?;
            } else {
                write!(ctx.out(), "{}", explained.to_text())?;
            }
        }
        Verb::Report { run, json } => report(&rounds, &run, json, ctx).await?,
        Verb::List => {
            for run in rounds.list().await? {
                writeln!(ctx.out(), "{}  {:<13}  {}  {}  {}", run.id, run.state, run.period, run.kind, run.model_id)?;
            }
        }
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
    library: &Library,
    (model, period): (&str, HalfYear),
    json: bool,
    ctx: &Context,
) -> anyhow::Result<()> {
    let in_force = library.get(model).map_err(known)?;
    let bar = ctx.progress(Some(0), "rating");
    let progress = |done: usize, of: usize| {
        bar.set_length(u64::try_from(of).unwrap_or(0));
        bar.set_position(u64::try_from(done).unwrap_or(0));
    };
    let done = rounds.run(in_force, period, &progress).await;
    bar.finish_and_clear();
    let done = done?;
    if done.unknown > 0 {
        writeln!(ctx.err(), "{} records are of measures that the catalogue does not have", done.unknown)?;
    }
    report(rounds, &done.id.to_string(), json, ctx).await?;
    if !json {
        writeln!(ctx.out(), "To put it in force: medcredit score publish {}", done.id)?;
    }
    Ok(())
}

async fn report(rounds: &Rounds, run: &str, json: bool, ctx: &Context) -> anyhow::Result<()> {
    let report = rounds.report(run).await?;
    if json {
        writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(ctx.out(), "{}", report.to_text())?;
    }
    Ok(())
}
