//! `medcredit backup`: the whole store in one archive.

use std::{io::Write, path::PathBuf};

use anyhow::Context as _;

use super::{Context, operator::Operator};
use crate::{
    backup,
    config::{KeyEncryptionKey, Secrets},
};

/// Copy the whole store into one archive, while gateways run.
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// The archive to write; must not exist
    archive: PathBuf,
    /// Encrypt the archive to the first key of this file, which has one Base64 key of 32 bytes a line
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    operator: Operator,
}

/// The keys in a key file. The first encrypts, all decrypt.
pub(super) fn read_keys(file: Option<&PathBuf>) -> anyhow::Result<Vec<KeyEncryptionKey>> {
    let Some(file) = file else { return Ok(Vec::new()) };
    // Read as the gateway's own key file is: the form is the same.
    let secrets = Secrets { key_encryption_key_file: file.clone(), allow_other_users: false };
    let keys = secrets.key_encryption_keys();
    keys.with_context(|| format!("--key-file {} cannot be used", file.display()))
}

pub(super) async fn run(args: Backup, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let keys = read_keys(args.key_file.as_ref())?;
    let db = ctx.store(&config).await?;
    let actor = args.operator.actor(ctx)?;
    let taken = backup::take(&ctx.env(&db), &actor, &args.archive, keys.first()).await;
    db.close().await;
    let backup::Taken { manifest, length } = taken?;
    let (out, ledger) = (&mut ctx.out(), &manifest.ledger);
    writeln!(out, "archive   {} ({length} bytes)", args.archive.display())?;
    writeln!(out, "taken     {}, {} members", manifest.taken_at, manifest.members.len())?;
    writeln!(out, "ledger    {} sealed entries, {} waiting", ledger.size, ledger.waiting)?;
    if keys.is_empty() {
        writeln!(
            out,
            "It is not encrypted: anybody who reads it reads subjects' data. Use --key-file, or encrypt it."
        )?;
    } else {
        writeln!(out, "It is encrypted: keep the key file apart from it, and not on this machine alone.")?;
    }
    writeln!(
        out,
        "It does not contain the configuration, the key-encryption keys, and the checkpoint file: keep copies."
    )?;
    Ok(())
}
