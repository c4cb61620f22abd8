//! `medcredit import TEMPLATE FILE...`: imports the bureau's files. With `--template` it writes empty ones instead.

mod empty;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{
    Context, Usage,
    context::{NothingDone, crypter},
    model::library,
    operator::Operator,
    score::announce_due,
};
use crate::{
    app,
    grading::DueScope,
    importing::{Encoding, Format, Importer, Input, Options, Outcome, RejectsBy, ReplacedImport, Report, Template},
};

/// Import the bureau's files that follow a template.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The template: subjects, affiliations, records, adverse, settlements, accounts or voids
    #[arg(value_name = "TEMPLATE", required_unless_present = "empty")]
    template: Option<Template>,
    /// The files, Excel, CSV or Parquet, in the order in which to import them
    #[arg(value_name = "FILE", required_unless_present = "empty")]
    files: Vec<PathBuf>,
    /// Write an empty Excel workbook to fill in instead, of the template or of each: to FILE [default: TEMPLATE.xlsx here]
    #[arg(long = "template")]
    empty: bool,
    /// The format: csv, excel or parquet [default: recognised by the file]
    #[arg(long, value_name = "FORMAT", value_parser = ["csv", "excel", "parquet"])]
    format: Option<String>,
    /// The encoding of CSV files: utf-8, gb18030 or utf-16 [default: recognised by the file]
    #[arg(long, value_name = "ENCODING")]
    encoding: Option<Encoding>,
    /// The sheet of an Excel file [default: the first]
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// The report of rejected rows: a .csv or .xlsx file [default: FILE.rejects.csv and FILE.rejects.xlsx beside the file]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Write a report for each provider or institution: provider or institution; --rejects names their folder
    #[arg(long, value_name = "OFFICE", requires = "rejects")]
    rejects_by: Option<RejectsBy>,
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
    if args.empty {
        return empty::write(args.template, &args.files, ctx);
    }
    let template = args.template.ok_or_else(|| Usage("name the template of the files".into()))?;
    if args.rejects.is_some() && args.rejects_by.is_none() && args.files.len() > 1 {
        let advice =
            "--rejects names one report: import one file at a time with it, or give a folder with --rejects-by";
        return Err(Usage(advice.into()).into());
    }
    if args.replaces.is_some() && args.files.len() > 1 {
        return Err(Usage("--replaces is about one file: import one file at a time with it".into()).into());
    }
    // Before anything is imported: a wrong option for the last file must not leave the first ones imported.
    let formats = args.files.iter().map(|file| format_of(&args, file)).collect::<anyhow::Result<Vec<_>>>()?;
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
        sheet: args.sheet.clone(),
        replaces: args.replaces.clone(),
        ..Options::default()
    };
    let (mut faulty, mut rejected, mut known) = (0, 0, 0);
    for (file, format) in args.files.iter().zip(formats) {
        options.format = Some(format);
        let job = Job { importer: &importer, template, file };
        if args.replaces.is_some() && !args.check {
            job.announce_replaced(&options, ctx).await?;
        }
        let report = job.import(&options, ctx).await?;
        print_report(&report, ctx)?;
        if let (Template::Voids, Outcome::Accepted, Some(seq)) = (template, report.outcome, report.import_seq) {
            announce_due(&db, config.push.correction_days, DueScope::Import(seq), ctx).await?;
        }
        known += usize::from(report.outcome == Outcome::Recognised);
        // What an earlier import rejected was reported then.
        if report.outcome != Outcome::Recognised && report.rejected > 0 {
            (faulty, rejected) = (faulty + 1, rejected + report.rejected);
        }
    }
    db.close().await;
    let files = args.files.len();
    anyhow::ensure!(faulty == 0, "{rejected} rows of {faulty} of {files} files were rejected: see the reports of them");
    // Each file is named above: a script learns from the exit code that none of them did anything.
    if known == files { Err(NothingDone.into()) } else { Ok(()) }
}

/// The import of one file.
struct Job<'a> {
    importer: &'a Importer,
    template: Template,
    file: &'a Path,
}

impl Job<'_> {
    async fn import(&self, options: &Options, ctx: &Context) -> anyhow::Result<Report> {
        let bar = ctx.progress(Some(0), self.template.as_str());
        let report = self
            .importer
            .import(self.template, self.file, options, &mut |progress| {
                bar.set_length(progress.total_bytes);
                bar.set_position(progress.bytes);
            })
            .await;
        bar.finish_and_clear();
        report.map_err(|error| anyhow::Error::new(error).context(self.file.display().to_string()))
    }

    /// Prints how many facts will no longer count, before anything is stored.
    async fn announce_replaced(&self, options: &Options, ctx: &Context) -> anyhow::Result<()> {
        let checked = self.import(&Options { check_only: true, ..options.clone() }, ctx).await?;
        if let Some(replaced) = checked.replaced {
            print_replaced(&replaced, "will no longer count", ctx)?;
        }
        Ok(())
    }
}

fn print_replaced(replaced: &ReplacedImport, outcome: &str, ctx: &Context) -> anyhow::Result<()> {
    let ReplacedImport { import_seq, facts, voided } = replaced;
    writeln!(ctx.out(), "  {voided} of the {facts} facts of import {import_seq} are not in this file: they {outcome}")?;
    Ok(())
}

/// The format of a file, by the options or by what is in it.
fn format_of(args: &Import, file: &Path) -> anyhow::Result<Format> {
    let found = || {
        let format = Input::File(file.to_owned()).format();
        format.map_err(|error| anyhow::Error::new(error).context(file.display().to_string()))
    };
    let format = match args.format.as_deref() {
        Some("parquet") => Format::Parquet,
        Some("excel") => Format::Workbook,
        Some(_) => Format::Csv(Encoding::default()),
        None => found()?,
    };
    let name = file.display();
    match (format, args.encoding, &args.sheet) {
        (Format::Csv(_) | Format::Parquet, _, Some(_)) => {
            Err(Usage(format!("--sheet is for Excel files, and {name} is none")).into())
        }
        (Format::Csv(_), encoding, None) => Ok(Format::Csv(encoding.unwrap_or_default())),
        (Format::Parquet, Some(_), None) => {
            Err(Usage(format!("--encoding is for CSV, and {name} is Parquet, whose texts are UTF-8")).into())
        }
        (Format::Workbook, Some(_), _) => {
            Err(Usage(format!("--encoding is for CSV, and {name} is an Excel file")).into())
        }
        (format, None, _) => Ok(format),
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
    for (reason, lines) in report.skipped.iter() {
        let first: Vec<_> = lines.first.iter().map(u64::to_string).collect();
        let more = if lines.count > u64::try_from(first.len()).unwrap_or(u64::MAX) { ", ..." } else { "" };
        writeln!(out, "  {} skipped: {reason} (line {}{more})", lines.count, first.join(", "))?;
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
