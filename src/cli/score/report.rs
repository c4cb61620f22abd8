//! `medcredit score report`: the results of a run, on the terminal or as a file for others.

use std::{io::Write, path::PathBuf};

use anyhow::Context as _;

use crate::{
    cli::{Context, Usage},
    config::Config,
    grading::{ReportNames, Rounds, report_page, report_rows},
    i18n::Lang,
};

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// One line for each figure
    Csv,
    /// One JSON object
    Json,
    /// A self-contained page with charts
    Html,
}

/// Show the results of a run in numbers, or write the report of a published round.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// The run's id
    run: String,
    /// Print the numbers as JSON
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Write the report of a published round in this format; small counts are withheld
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// The file to write to [default: standard output]
    #[arg(long, value_name = "FILE", requires = "format")]
    out: Option<PathBuf>,
    /// Withhold nothing, and report any run: for the bureau only
    #[arg(long, requires = "format")]
    internal: bool,
    /// The language [default: zh for a page, en for the terminal; CSV and JSON are the same in both]
    #[arg(long, value_name = "zh|en")]
    lang: Option<Lang>,
}

/// Prints or writes a report.
pub(super) async fn report(rounds: &Rounds, args: &ReportArgs, config: &Config, ctx: &Context) -> anyhow::Result<()> {
    let Some(format) = args.format else {
        return numbers(rounds, &args.run, args.json, args.lang.unwrap_or_default(), ctx).await;
    };
    let (kinds, regions) = (config.reference.kinds()?, config.reference.regions()?);
    let withheld_below = (!args.internal).then_some(config.grading.withhold_below);
    let names = ReportNames { kinds: &kinds, regions: &regions };
    let report = rounds.round_report(&args.run, names, withheld_below).await?;
    let bytes = match format {
        Format::Csv => report_rows(&report)?,
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&report)?).into_bytes(),
        Format::Html => report_page(&report, args.lang.unwrap_or(Lang::Zh)).into_bytes(),
    };
    write(&bytes, args.out.as_ref(), ctx)
}

/// Writes bytes to a new file or to standard output.
pub(super) fn write(bytes: &[u8], out: Option<&PathBuf>, ctx: &Context) -> anyhow::Result<()> {
    let Some(path) = out else { return Ok(ctx.out().write_all(bytes)?) };
    // `create_new` and no check before it: another process could make the file in between.
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            anyhow::Error::new(Usage(format!("{} exists: name another file", path.display())))
        }
        _ => anyhow::Error::new(error).context(path.display().to_string()),
    })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(|| path.display().to_string())?;
    writeln!(ctx.out(), "{}: {} bytes", path.display(), bytes.len())?;
    Ok(())
}

/// Prints the results of a run in numbers.
pub(super) async fn numbers(rounds: &Rounds, run: &str, json: bool, lang: Lang, ctx: &Context) -> anyhow::Result<()> {
    let report = rounds.report(run).await?;
    if json {
        writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        let kinds = ctx.config()?.reference.kinds()?;
        let named = kinds.find(&report.kind).filter(|_| lang == Lang::Zh).map(|kind| kind.name.as_str());
        write!(ctx.out(), "{}", report.to_text(named.unwrap_or(&report.kind), lang))?;
    }
    Ok(())
}
