//! `medcredit score export`: exports the round in force as a signed package for a platform.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{
    authority::{Keyring, Purpose},
    cli::{
        Context, Usage,
        context::custody,
        operator::Operator,
        push::{Tables, lacking, unknown_as_usage},
    },
    push::{
        Exporter, MANIFEST, Package, SIGNATURE,
        platform::{CheckedPlatform, Platform},
    },
};

/// Export the round in force as a signed package for a platform.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The round's id
    run: String,
    /// The platform's id (`medcredit push list`)
    #[arg(long, value_name = "PLATFORM")]
    to: String,
    /// The folder to create for the package
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The platform's file [default: the platform in force with this id]
    #[arg(long, value_name = "FILE")]
    platform: Option<PathBuf>,
    #[command(flatten)]
    operator: Operator,
}

/// The platform to export to.
fn platform(args: &Export, tables: &Tables, ctx: &Context) -> anyhow::Result<Platform> {
    let Some(path) = &args.platform else {
        return Ok(tables.platforms(ctx)?.get(&args.to).map_err(unknown_as_usage)?.clone());
    };
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| name.clone())?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let platform = CheckedPlatform::parse(&name, &text, directory, &tables.reference())?.platform;
    if platform.id != args.to {
        return Err(Usage(format!("there is no platform {} in {name}; it has: {}", args.to, platform.id)).into());
    }
    Ok(platform)
}

/// Exports a package.
pub(super) async fn export(args: &Export, ctx: &Context) -> anyhow::Result<()> {
    let tables = Tables::load(ctx)?;
    let platform = platform(args, &tables, ctx)?;
    // Before the export is made, which the ledger records.
    if args.out.exists() {
        return Err(Usage(format!("{} exists: name another folder", args.out.display())).into());
    }
    if let Some(lacking) = lacking(&platform, &tables.evaluator) {
        writeln!(ctx.err(), "warning: {}: {lacking}", platform.id)?;
    }
    let regions = ctx.config()?.reference.regions()?;
    let custody = custody(ctx).await?;
    let signer = Keyring::load(&custody).await?.signer(Purpose::AnswerSigning)?;
    let Tables { kinds, library, evaluator, .. } = tables;
    let exporter = Exporter { env: custody.env.clone(), signer, kinds, library, regions, evaluator };
    let exported = exporter.export(&args.run, &platform, &args.operator.actor(ctx)?).await?;
    write(&exported.package, &args.out).with_context(|| args.out.display().to_string())?;
    let mut out = ctx.out();
    for file in &exported.manifest.files {
        writeln!(out, "{}: {} records for {}, SHA-256 {}", file.name, file.records, platform.name_zh, file.sha256)?;
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
    if exported.manifest.marked > 0 {
        writeln!(out, "marked: {} with an open objection", exported.manifest.marked)?;
    }
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
