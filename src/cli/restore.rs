//! `medcredit restore`: an archive back into an empty store.

use std::{io::Write, path::PathBuf};

use serde_json::json;

use super::{Context, backup::read_keys, context::open_store, migrate::migrate, operator::Operator};
use crate::{
    backup::{self, Manifest},
    config::{Config, StoreEngine},
    ledger::{self, Action, Change, CheckpointFile},
};

/// Verify an archive and restore it into an empty store.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// The archive that `medcredit backup` wrote
    archive: PathBuf,
    /// The file with the key that it is encrypted to
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Verify the archive, and restore nothing
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(args: Restore, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let keys = read_keys(args.key_file.as_ref())?;
    let (file, manifest) = backup::open_archive(&args.archive, &keys)?;
    let (out, ledger) = (&mut ctx.out(), &manifest.ledger);
    writeln!(out, "archive   whole: {} members, of {}", manifest.members.len(), manifest.engine)?;
    writeln!(out, "taken     {}, by medcredit {}", manifest.taken_at, manifest.program)?;
    writeln!(out, "ledger    {} sealed entries, {} waiting", ledger.size, ledger.waiting)?;
    if args.check {
        return Ok(());
    }
    // Before anything is written: wrong usage restores nothing.
    let actor = args.operator.actor(ctx)?;
    match config.store.engine {
        StoreEngine::Sqlite => backup::restore_files(&file, &manifest, &keys, &config.store.directory)?,
        StoreEngine::Postgres => {
            let db = open_store(&config).await?;
            let restored = backup::restore_tables(file, &manifest, keys, &db).await;
            db.close().await;
            restored?;
        }
    }
    // The store is complete from here. A crash leaves it as it was in the archive, without the entry of its restoration.
    let db = open_store(&config).await?;
    let env = ctx.env(&db);
    let applied = migrate(&env, || Ok(actor.clone())).await?;
    let change = Change::of(json!({ "taken_at": manifest.taken_at, "sealed": ledger.size, "waiting": ledger.waiting }));
    let mut tx = db.begin("backup::restore").await?;
    ledger::audit(&mut tx, &env, &actor, Action::BackupRestored, None, change).await?;
    tx.commit().await?;
    db.close().await;
    for name in applied {
        writeln!(out, "applied {name}")?;
    }
    report(&manifest, &config, ctx).await
}

/// Says what follows.
async fn report(manifest: &Manifest, config: &Config, ctx: &Context) -> anyhow::Result<()> {
    let out = &mut ctx.out();
    writeln!(out, "restored  as of {}. Whatever was recorded after that is missing,", manifest.taken_at)?;
    writeln!(
        out,
        "          and consents, clients, certificates and tokens that ended after that are in force again."
    )?;
    let outside = CheckpointFile::new(config.ledger.checkpoint_file.clone()).read().await.ok().flatten();
    let covered = outside.and_then(|note| note.lines().nth(1).and_then(|size| size.parse::<i64>().ok()));
    if let Some(missing) = covered.map(|covered| covered - manifest.ledger.size).filter(|missing| *missing > 0) {
        writeln!(
            out,
            "missing   {missing} sealed entries, by the checkpoint file {}",
            config.ledger.checkpoint_file.display()
        )?;
    }
    if config.store.engine == StoreEngine::Postgres {
        writeln!(out, "next      medcredit migrate --app-role ROLE, for the role that the gateways connect as")?;
    }
    writeln!(out, "next      Start no gateway yet: run `medcredit recover` (docs/RECOVERY.md)")?;
    Ok(())
}
