//! `medcredit import TEMPLATE FILE...`: imports the bureau's files.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{
    Context, Usage,
    context::{NothingDone, crypter},
    model::library,
    operator::Operator,
};
use crate::{
    app,
    importing::{Encoding, Format, Importer, Options, Outcome, ReplacedImport, Report, Template},
};

/// Import the bureau's files that follow a template.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The template: subjects, affiliations, records, adverse, settlements, accounts or voids
    #[arg(value_name = "TEMPLATE")]
    template: Template,
    /// The files, CSV with a header or Parquet, in the order in which to import them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The format: csv or parquet [default: parquet for names ending in .parquet, csv for others]
    #[arg(long, value_name = "FORMAT", value_parser = ["csv", "parquet"])]
    format: Option<String>,
    /// The encoding of CSV files: utf-8 or gb18030 [default: utf-8]
    #[arg(long, value_name = "ENCODING")]
    encoding: Option<Encoding>,
    /// The file for the report of rejected rows [default: FILE.rejects.csv beside the file]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Accept subjects whose unified social credit code fails its check, once the licences were compared
    #[arg(long)]
    accept_uscc_mismatch: bool,
    /// The number or id of an import of records that this file replaces: facts of it that the file does not have no longer
    /// count. They are counted before anything is stored; with --check, nothing is
    #[arg(long, value_name = "IMPORT")]
    replaces: Option<String>,
    /// Only check the files and report; store nothing
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(args: Import, ctx: &Context) -> anyhow::Result<()> {
    if args.rejects.is_some() && args.files.len() > 1 {
        return Err(Usage("--rejects names one report: import one file at a time with it".into()).into());
    }
    if args.replaces.is_some() && args.files.len() > 1 {
        return Err(Usage("--replaces is about one file: import one file at a time with it".into()).into());
    }
    // Before anything is imported: a wrong option for the last file must not leave the first ones imported.
    let formats = args.files.iter().map(|file| format_of(&args, file)).collect::<Result<Vec<_>, Usage>>()?;
    let config = ctx.config()?;
    let references = app::reference_tables(&config, &library(ctx)?)?;
    let db = ctx.store(&config).await?;
    let crypter = crypter(&config, &db).await?;
    let importer = Importer::new(ctx.env(&db), args.operator.actor(ctx)?, crypter, references);
    let importer = importer.looking_back(config.imports.half_years_back);
    let mut options = Options {
        rejects: args.rejects.clone(),
        accept_uscc_mismatch: args.accept_uscc_mismatch,
        check_only: args.check,
        replaces: args.replaces.clone(),
        ..Options::default()
    };
    let (mut failed, mut known) = (0, 0);
    for (file, format) in args.files.iter().zip(formats) {
        options.format = Some(format);
        if args.replaces.is_some() && !args.check {
            announce_replaced(&importer, &args, file, &options, ctx).await?;
        }
        let report = import_file(&importer, &args, file, &options, ctx).await?;
        print_report(&report, ctx)?;
        failed += u32::from(report.outcome == Outcome::NothingTaken);
        known += usize::from(report.outcome == Outcome::Recognised);
    }
    db.close().await;
    anyhow::ensure!(failed == 0, "no row of {failed} of {} files was accepted", args.files.len());
    // Each file is named above: a script learns from the exit code that none of them did anything.
    if known == args.files.len() { Err(NothingDone.into()) } else { Ok(()) }
}

async fn import_file(
    importer: &Importer,
    args: &Import,
    file: &Path,
    options: &Options,
    ctx: &Context,
) -> anyhow::Result<Report> {
    let bar = ctx.progress(Some(0), args.template.as_str());
    let report = importer
        .import(args.template, file, options, &mut |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
        })
        .await;
    bar.finish_and_clear();
    report.map_err(|error| anyhow::Error::new(error).context(file.display().to_string()))
}

/// Prints how many facts will no longer count, before anything is stored.
async fn announce_replaced(
    importer: &Importer,
    args: &Import,
    file: &Path,
    options: &Options,
    ctx: &Context,
) -> anyhow::Result<()> {
    let checked = import_file(importer, args, file, &Options { check_only: true, ..options.clone() }, ctx).await?;
    if let Some(replaced) = checked.replaced {
        print_replaced(&replaced, "will no longer count", ctx)?;
    }
    Ok(())
}

fn print_replaced(replaced: &ReplacedImport, outcome: &str, ctx: &Context) -> anyhow::Result<()> {
    let ReplacedImport { import_seq, facts, voided } = replaced;
    writeln!(ctx.out(), "  {voided} of the {facts} facts of import {import_seq} are not in this file: they {outcome}")?;
    Ok(())
}

/// The format of a file, by the options or its name.
fn format_of(args: &Import, file: &Path) -> Result<Format, Usage> {
    let format = match args.format.as_deref() {
        Some("parquet") => Format::Parquet,
        Some(_) => Format::Csv(Encoding::Utf8),
        None => Format::of_name(file),
    };
    match (format, args.encoding) {
        (Format::Csv(_), encoding) => Ok(Format::Csv(encoding.unwrap_or_default())),
        (Format::Parquet, None) => Ok(Format::Parquet),
        (Format::Parquet, Some(_)) => {
            Err(Usage(format!("--encoding is for CSV, and {} is Parquet, whose texts are UTF-8", file.display())))
        }
    }
}

fn print_report(report: &Report, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    let Report { file_name, rows, accepted, rejected, warnings, .. } = report;
    if report.removed > 0 {
        writeln!(out, "removed the remains of {} interrupted imports", report.removed)?;
    }
    let counts = format!("{rows} rows, {accepted} accepted, {rejected} rejected, {warnings} warnings");
    match report.outcome {
        Outcome::Recognised => {
            let seq = report.import_seq.unwrap_or(0);
            writeln!(
                out,
                "{file_name}: the same file was imported as {seq}, and nothing has changed its rows since; nothing was stored"
            )?;
        }
        Outcome::Accepted => {
            let seq = report.import_seq.unwrap_or(0);
            writeln!(out, "{file_name}: import {seq} accepted: {counts}")?;
        }
        Outcome::NothingTaken => writeln!(out, "{file_name}: not accepted: {counts}")?,
        Outcome::Checked => writeln!(out, "{file_name}: checked only: {counts}")?,
    }
    if report.template == Template::Subjects && report.outcome == Outcome::Accepted {
        let subjects = report.subjects;
        writeln!(out, "  {} new, {} changed, {} unchanged", subjects.new, subjects.changed, subjects.unchanged)?;
    }
    if let Some(replaced) = &report.replaced {
        let outcome = if report.outcome == Outcome::Accepted { "no longer count" } else { "would no longer count" };
        print_replaced(replaced, outcome, ctx)?;
    }
    for (code, count) in &report.findings {
        writeln!(out, "  {count} {code}")?;
    }
    if let Some(path) = &report.rejects {
        writeln!(out, "  see {}", path.display())?;
    }
    Ok(())
}
