//! `medcredit migrate`: the schema, and on PostgreSQL what the gateway's own role may do.

use std::io::Write;

use super::{Context, Usage, context::open_store};
use crate::{
    authority,
    config::Config,
    importing::reseal_subjects,
    store::{Db, Engine, grants, migrations, subjects},
};

/// Bring the database to this build's schema.
#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    /// PostgreSQL: the role `serve` connects as, given only what it needs (ledger tables: insert and select)
    #[arg(long, value_name = "ROLE")]
    app_role: Option<String>,
}

/// Runs the command.
pub(super) async fn run(args: Migrate, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = open_store(&config).await?;
    if args.app_role.is_some() && db.engine() == Engine::Sqlite {
        return Err(Usage("--app-role is for PostgreSQL: SQLite has no roles".into()).into());
    }
    let applied = migrations::migrate(&db, &*ctx.clock).await?;
    for name in &applied {
        writeln!(ctx.out(), "applied {name}")?;
    }
    if applied.is_empty() {
        writeln!(ctx.out(), "nothing to apply: the schema is this build's")?;
    }
    seal_names(&config, &db, ctx).await?;
    if let Some(role) = &args.app_role {
        grants::grant(&db, role).await?;
        writeln!(ctx.out(), "role {role} may do what serving needs, and no more")?;
    }
    db.close().await;
    Ok(())
}

/// Seals names of natural persons that an older schema kept in the open: a step that needs the key, which no script has.
async fn seal_names(config: &Config, db: &Db, ctx: &Context) -> anyhow::Result<()> {
    let natural = config.reference.kinds()?.natural();
    if subjects::count_unsealed(&db.read("migrate"), &natural).await? == 0 {
        return Ok(());
    }
    let crypter = authority::crypter(&config.secrets)?;
    let done = reseal_subjects(db, &crypter, &natural).await?;
    writeln!(ctx.out(), "sealed the personal parts of {} subjects, {} names among them", done.subjects, done.plain)?;
    if done.plain > 0 {
        writeln!(ctx.out(), "back-ups of before this hold these names in the open: keep them under lock, or end them")?;
    }
    Ok(())
}
