//! `medcredit import TEMPLATE FILE...`: the bureau's files, into the store.

use std::{io::Write, path::PathBuf, sync::Arc};

use super::{Context, Usage, model::library};
use crate::{
    authority,
    importing::{Importer, Options, Outcome, References, Report, Template},
};

/// Import files that follow a template.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The template: subjects, affiliations, records, adverse, settlements or accounts
    #[arg(value_name = "TEMPLATE")]
    template: Template,
    /// The files, UTF-8 CSV with a header, in the order in which their versions count
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Where the report of rows that were not taken goes; beside the file, as FILE.rejects.csv, without it
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Take subjects whose unified social credit code fails its check: you have looked at the licences
    #[arg(long)]
    accept_uscc_mismatch: bool,
    /// Check and report only; write nothing to the store
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(super) async fn run(args: Import, ctx: &Context) -> anyhow::Result<()> {
    if args.rejects.is_some() && args.files.len() > 1 {
        return Err(Usage("--rejects names one report: import one file at a time with it".into()).into());
    }
    let config = ctx.config()?;
    let references = References::built_in(library(ctx)?.catalogues().cloned())?;
    let crypter = Arc::new(authority::crypter(&config.secrets)?);
    let db = ctx.store(&config).await?;
    let importer = Importer::new(db.clone(), ctx.clock.clone(), ctx.entropy.clone(), crypter, references);
    let options = Options {
        rejects: args.rejects,
        accept_uscc_mismatch: args.accept_uscc_mismatch,
        check_only: args.check,
        ..Options::default()
    };
    let mut without = 0;
    for file in &args.files {
        let bar = ctx.progress(None, args.template.as_str());
        let report = importer
            .import(args.template, file, &options, &mut |progress| {
                bar.set_length(progress.total_bytes);
                bar.set_position(progress.bytes);
            })
            .await;
        bar.finish_and_clear();
        let report = report.map_err(|error| anyhow::Error::new(error).context(file.display().to_string()))?;
        tell(&report, ctx)?;
        without += u32::from(report.outcome == Outcome::NothingTaken);
    }
    db.close().await;
    anyhow::ensure!(without == 0, "no row of {without} of {} files could be taken", args.files.len());
    Ok(())
}

fn tell(report: &Report, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    let Report { file_name, rows, accepted, rejected, warnings, .. } = report;
    if report.removed > 0 {
        writeln!(out, "removed what {} killed imports had left", report.removed)?;
    }
    let counts = format!("{rows} rows, {accepted} taken, {rejected} rejected, {warnings} warnings");
    match report.outcome {
        Outcome::Recognised => {
            let seq = report.import_seq.unwrap_or(0);
            writeln!(out, "{file_name}: the same file is import {seq} already; nothing was written")?;
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
        writeln!(out, "  {} new, {} changed, {} as before", subjects.new, subjects.changed, subjects.unchanged)?;
    }
    for (code, count) in &report.findings {
        writeln!(out, "  {count} {code}")?;
    }
    if let Some(path) = &report.rejects {
        writeln!(out, "  see {}", path.display())?;
    }
    Ok(())
}
