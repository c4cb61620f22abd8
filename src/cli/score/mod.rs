//! `medcredit score ...`: grades subjects, and publishes, explains and reports the grades.

mod correct;
mod due;
mod export;
mod figures;
mod late;
mod replay;
mod report;
mod results;
mod sheet;
mod state;
mod table;
mod verify_package;
mod workbook;

use std::{io::Write, path::PathBuf};

pub(super) use due::announce as announce_due;

use super::{
    Context, Usage,
    four_eyes::{Act, BreakGlass, acts_alone},
    model::{check::report_misfits, library, unknown_as_usage},
    operator::Operator,
};
use crate::{
    domain::{Actor, HalfYear},
    grading::{InForce, Library, Rounds, explained_page},
    i18n::Lang,
};

/// The number of conflicts between sources that are listed; further ones are only counted.
const CONFLICTS_LISTED: usize = 20;

/// The format of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PageFormat {
    /// A self-contained page with charts
    Html,
}

/// Grade subjects, and publish, explain and report the grades.
#[derive(Debug, clap::Args)]
pub(super) struct Score {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    #[command(flatten)]
    WithStore(WithStore),
    /// Verify a package offline, check by check, with only the gateway's public keys
    VerifyPackage(verify_package::VerifyPackage),
}

/// The subcommands that need the gateway's store.
#[derive(Debug, clap::Subcommand)]
enum WithStore {
    /// Grade every subject of a model's kind for a half-year, as a trial run that is invisible outside
    Run {
        /// The model's id; needed if more than one is in force
        #[arg(long, value_name = "ID")]
        model: Option<String>,
        /// The half-year, as in 2026-H1 [default: the last complete one]
        #[arg(long, value_name = "HALF-YEAR")]
        period: Option<HalfYear>,
        #[command(flatten)]
        operator: Operator,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Open a trial run to objections of its subjects, before it is published (预评定)
    Preassess {
        /// The run's id
        run: String,
        #[command(flatten)]
        operator: Operator,
    },
    /// Publish a run: from now on banks read its grades
    Publish {
        /// The run's id
        run: String,
        /// The reason, where another operator has to approve it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        glass: BreakGlass,
        #[command(flatten)]
        operator: Operator,
    },
    /// Discard an unpublished run and delete its results
    Discard {
        /// The run's id
        run: String,
        #[command(flatten)]
        operator: Operator,
    },
    /// Show everything about a run: its state, results and digests
    Show {
        /// The run's id
        run: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Explain a subject's score, in the round in force or in a run
    Explain {
        /// The subject's code
        subject: String,
        /// The run's id
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// Print as JSON
        #[arg(long, conflicts_with = "format")]
        json: bool,
        /// Write a page to print, for the subject
        #[arg(long, value_enum, value_name = "FORMAT")]
        format: Option<PageFormat>,
        /// The file to write to [default: standard output]
        #[arg(long, value_name = "FILE", requires = "format")]
        out: Option<PathBuf>,
        /// The language [default: zh for a page, en for the terminal]
        #[arg(long, value_name = "zh|en")]
        lang: Option<Lang>,
    },
    /// List the results of a run by name, as a table or for a spreadsheet
    Results(results::Results),
    /// Show the results of a run in numbers, or write the report of a published round
    Report(report::ReportArgs),
    /// Compare two runs: agreement, and the subjects that differ
    Compare(figures::Compare),
    /// Show the effects of publishing a run: changed grades, and the measures that follow
    Simulate {
        /// The run's id
        run: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
        /// The language
        #[arg(long, value_name = "zh|en", default_value_t)]
        lang: Lang,
    },
    /// Show the distribution of each indicator, with missing, capped and uncorrelated values
    Bias(figures::Bias),
    /// List all runs, latest first
    List,
    /// Recompute a run from its stored inputs and compare the results; ends with 1 if anything differs
    Replay {
        /// The run's id
        run: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Correct a published grade from the current records; banks and platforms are notified
    Correct(correct::Correct),
    /// List the published results that decisions about their records have changed since: corrections that are due
    Due {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Export the round in force as a signed package for a platform, such as the city's personal credit score
    Export(export::Export),
}

pub(super) async fn run(args: Score, ctx: &Context) -> anyhow::Result<()> {
    match args.verb {
        Verb::WithStore(verb) => run_with_store(verb, ctx).await,
        Verb::VerifyPackage(args) => verify_package::run(&args, ctx),
    }
}

async fn run_with_store(verb: WithStore, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let rounds = Rounds::new(ctx.env(&db));
    let rounds = rounds.with_objections(config.grading.objection_days, config.reference.calendar()?);
    match verb {
        WithStore::Run { model, period, operator, json } => {
            let library = library(ctx)?;
            let model = model.map_or_else(|| only(&library), Ok)?;
            let period = period.unwrap_or_else(|| HalfYear::of(ctx.clock.now().day().month()).plus(-1));
            let in_force = library.get(&model).map_err(unknown_as_usage)?;
            report_misfits(&library, in_force.model, ctx)?;
            late::report(&db, &config, (in_force.model, in_force.catalogue), period, ctx).await?;
            make(&rounds, &operator.actor(ctx)?, in_force, period, json, ctx).await?;
        }
        WithStore::Preassess { run, operator } => state::preassess(&rounds, &operator.actor(ctx)?, &run, ctx).await?,
        WithStore::Publish { run, reason, glass, operator } => {
            let actor = operator.actor(ctx)?;
            let proposed = state::proposed(&rounds, &run).await?;
            let act = Act { actor: &actor, proposed, reason: reason.as_deref(), glass };
            if acts_alone(act, &config, &ctx.env(&db), ctx).await? {
                state::publish(&rounds, &actor, &run, config.grading.grace_months, ctx).await?;
            }
        }
        WithStore::Discard { run, operator } => state::discard(&rounds, &operator.actor(ctx)?, &run, ctx).await?,
        WithStore::Show { run, json } => state::show(&rounds, &run, json, ctx).await?,
        WithStore::Explain { subject, run, json, format, out, lang } => {
            let lang = lang.unwrap_or(if format.is_some() { Lang::Zh } else { Lang::En });
            let explained = rounds.explain_in(&subject, run.as_deref(), lang).await?;
            match format {
                Some(PageFormat::Html) => report::write(explained_page(&explained).as_bytes(), out.as_ref(), ctx)?,
                None if json => writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&explained)?)?,
                None => write!(ctx.out(), "{}", explained.to_text())?,
            }
        }
        WithStore::Results(args) => results::results(&rounds, &args, &config, ctx).await?,
        WithStore::Report(args) => report::report(&rounds, &args, &config, ctx).await?,
        WithStore::Compare(args) => figures::compare(&rounds, &args, ctx).await?,
        WithStore::Simulate { run, json, lang } => figures::simulate(&rounds, &run, json, lang, ctx).await?,
        WithStore::Bias(args) => figures::bias(&rounds, &args, ctx).await?,
        WithStore::List => state::list(&rounds, ctx).await?,
        WithStore::Replay { run, json } => replay::replay(&rounds, &run, json, ctx).await?,
        WithStore::Export(args) => export::export(&args, ctx).await?,
        WithStore::Correct(args) => correct::correct(&rounds, &args, config.push.correction_days, ctx).await?,
        WithStore::Due { json } => due::list(&rounds, config.push.correction_days, json, ctx).await?,
    }
    db.close().await;
    Ok(())
}

/// The model in force, if there is only one.
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
    let bar = ctx.progress(Some(0), "grading");
    let progress = |done: usize, of: usize| {
        bar.set_length(u64::try_from(of).unwrap_or(0));
        bar.set_position(u64::try_from(done).unwrap_or(0));
    };
    let done = rounds.run(actor, in_force, period, &progress).await;
    bar.finish_and_clear();
    // Only now, because an error must not leave the bar on the screen.
    let done = done?;
    if done.unknown > 0 {
        writeln!(ctx.err(), "{} records belong to measures that the catalogue does not have", done.unknown)?;
    }
    for conflict in done.conflicts.iter().take(CONFLICTS_LISTED) {
        let (counts, others) = conflict.sources.split_first().map_or((None, &[][..]), |(one, rest)| (Some(one), rest));
        writeln!(
            ctx.err(),
            "warning: {} of {} on {}: {} counts, because it was delivered later than {}",
            conflict.measure,
            conflict.subject_code,
            conflict.on,
            counts.map_or("", String::as_str),
            others.join(", ")
        )?;
    }
    if done.conflicts.len() > CONFLICTS_LISTED {
        writeln!(ctx.err(), "warning: {} stocks have two sources for one day in all", done.conflicts.len())?;
    }
    report::numbers(rounds, &done.id.to_string(), json, Lang::En, ctx).await?;
    if !json {
        writeln!(ctx.out(), "To publish it: medcredit score publish {}", done.id)?;
    }
    Ok(())
}
