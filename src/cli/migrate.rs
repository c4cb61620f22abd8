//! `medcredit migrate`: the schema, and on PostgreSQL what the gateway's own role may do.

use std::io::Write;

use super::{Context, Usage, context::open_store};
use crate::store::{Engine, grants, migrations};

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
    if let Some(role) = &args.app_role {
        grants::grant(&db, role).await?;
        writeln!(ctx.out(), "role {role} may do what serving needs, and no more")?;
    }
    db.close().await;
    Ok(())
}
