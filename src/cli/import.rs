//! `medcredit import TEMPLATE FILE...`: imports the bureau's files.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{Context, Usage, context::crypter, model::library, operator::Operator};
use crate::{
    app,
    importing::{Encoding, Format, Importer, Options, Outcome, RejectsBy, Report, Template},
};

/// Import the bureau's files that follow a template.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The template: subjects, affiliations, records, adverse, settlements or accounts
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
    /// The report of rejected rows: a .csv or .xlsx file [default: FILE.rejects.csv and FILE.rejects.xlsx beside the file]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Write a report for each provider or institution: provider or institution; --rejects names their folder
    #[arg(long, value_name = "OFFICE", requires = "rejects")]
    rejects_by: Option<RejectsBy>,
    /// Accept subjects whose unified social credit code fails its check, once the licences were compared
    #[arg(long)]
    accept_uscc_mismatch: bool,
    /// Only check the files and report; store nothing
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(args: Import, ctx: &Context) -> anyhow::Result<()> {
    if args.rejects.is_some() && args.rejects_by.is_none() && args.files.len() > 1 {
        let advice =
            "--rejects names one report: import one file at a time with it, or give a folder with --rejects-by";
        return Err(Usage(advice.into()).into());
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
        rejects_by: args.rejects_by,
        accept_uscc_mismatch: args.accept_uscc_mismatch,
        check_only: args.check,
        ..Options::default()
    };
    let (mut faulty, mut rejected) = (0, 0);
    for (file, format) in args.files.iter().zip(formats) {
        options.format = Some(format);
        let bar = ctx.progress(Some(0), args.template.as_str());
        let report = importer
            .import(args.template, file, &options, &mut |progress| {
                bar.set_length(progress.total_bytes);
                bar.set_position(progress.bytes);
            })
            .await;
        bar.finish_and_clear();
        let report = report.map_err(|error| anyhow::Error::new(error).context(file.display().to_string()))?;
        print_report(&report, ctx)?;
        // What an earlier import rejected was reported then.
        if report.outcome != Outcome::Recognised && report.rejected > 0 {
            (faulty, rejected) = (faulty + 1, rejected + report.rejected);
        }
    }
    db.close().await;
    let files = args.files.len();
    anyhow::ensure!(faulty == 0, "{rejected} rows of {faulty} of {files} files were rejected: see the reports of them");
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
            writeln!(out, "{file_name}: the same file was imported as {seq}; nothing was stored")?;
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
    for (code, count) in &report.findings {
        writeln!(out, "  {count} {code}")?;
    }
    if let Some(path) = &report.rejects {
        writeln!(out, "  see {}", path.display())?;
    }
    if let Some(path) = &report.workbook {
        writeln!(out, "  see {}", path.display())?;
    }
    if *rows == 0 && report.outcome != Outcome::Recognised {
        writeln!(ctx.err(), "warning: {file_name} has a header and no rows")?;
    }
    Ok(())
}
