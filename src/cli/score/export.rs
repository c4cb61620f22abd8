//! `medcredit score export`: exports the round in force as a signed package for a receiver.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{
    authority::{Keyring, Purpose},
    cli::{Context, Usage, context::custody, model::library, operator::Operator},
    push::{BUILT_IN, Exporter, MANIFEST, Package, SIGNATURE, receivers},
};

/// Export the round in force as a signed package for a receiver.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The round's id
    run: String,
    /// The receiver's id, from the table of receivers
    #[arg(long, value_name = "RECEIVER")]
    to: String,
    /// The folder to create for the package
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A table of receivers [default: the built-in one, config/receivers.toml]
    #[arg(long, value_name = "FILE")]
    receivers: Option<PathBuf>,
    #[command(flatten)]
    operator: Operator,
}

/// Exports a package.
pub(super) async fn export(args: &Export, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let (file, text) = match &args.receivers {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
            (path.display().to_string(), text)
        }
        None => ("config/receivers.toml".to_owned(), BUILT_IN.to_owned()),
    };
    let library = library(ctx)?;
    let kinds = config.reference.kinds()?;
    let table = receivers(&file, &text, &library, &kinds)?;
    let receiver = table.iter().find(|receiver| receiver.id == args.to).ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|receiver| receiver.id.as_str()).collect();
        Usage(format!("there is no receiver {} in {file}; there are: {}", args.to, known.join(", ")))
    })?;
    // Before the export is made, which the ledger records.
    if args.out.exists() {
        return Err(Usage(format!("{} exists: name another folder", args.out.display())).into());
    }
    let custody = custody(ctx).await?;
    let signer = Keyring::load(&custody).await?.signer(Purpose::AnswerSigning)?;
    let exporter = Exporter { env: custody.env.clone(), signer, kinds, library };
    let exported = exporter.export(&args.run, receiver, &args.operator.actor(ctx)?).await?;
    write(&exported.package, &args.out).with_context(|| args.out.display().to_string())?;
    let mut out = ctx.out();
    for file in &exported.manifest.files {
        writeln!(out, "{}: {} records for {}, SHA-256 {}", file.name, file.records, receiver.name_zh, file.sha256)?;
    }
    if let Some(mapped) = &exported.manifest.mapped_by {
        let ours = if mapped.own_grade { "beside ours" } else { "in place of ours" };
        writeln!(out, "grades mapped to {}, {ours}: {} from {}", mapped.mapping, mapped.to, mapped.from)?;
    }
    let left = exported.manifest.left_out;
    writeln!(
        out,
        "left out: {} with an open objection, {} natural persons",
        left.under_objection, left.natural_persons
    )?;
    custody.env.db.close().await;
    Ok(())
}

/// Writes a package under a temporary name and renames it, so that a process that watches for the folder finds it complete.
fn write(package: &Package, folder: &Path) -> std::io::Result<()> {
    let mut unfinished = folder.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    if unfinished.exists() {
        // The remains of a killed export.
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    for (name, bytes) in [
        (package.data_name.as_str(), package.data.as_slice()),
        (MANIFEST, package.manifest.as_slice()),
        (SIGNATURE, package.signature.as_bytes()),
    ] {
        let mut file = fs::File::create_new(unfinished.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    // The folder's list of files is data of its own, and must be durable before the rename.
    fs::File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, folder)
}
