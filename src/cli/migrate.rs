//! `medcredit migrate`: the schema, and on PostgreSQL what the gateway's own role may do.

use std::io::Write;

use serde_json::json;

use super::{
    Context, Usage,
    context::{crypter, open_store},
    operator::Operator,
};
use crate::{
    config::Config,
    domain::Actor,
    importing::reseal_subjects,
    ledger::{self, Action, Change},
    store::{Engine, Env, grants, migrations, subjects},
};

/// Migrate the database to this build's schema.
#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    /// Grant the role that `serve` connects as what it needs, and nothing else (PostgreSQL only)
    #[arg(long, value_name = "ROLE")]
    app_role: Option<String>,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(args: Migrate, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = open_store(&config).await?;
    // Before any migration: wrong usage changes nothing.
    if args.app_role.is_some() && db.engine() == Engine::Sqlite {
        return Err(Usage("--app-role is for PostgreSQL: SQLite has no roles".into()).into());
    }
    let env = ctx.env(&db);
    // One actor for everything this command changes, and none where it changes nothing.
    let mut actor = LazyActor { operator: &args.operator, ctx, resolved: None };
    let applied = migrate(&env, || actor.get()).await?;
    for name in &applied {
        writeln!(ctx.out(), "applied {name}")?;
    }
    if applied.is_empty() {
        writeln!(ctx.out(), "nothing to apply: the schema is this build's")?;
    }
    // Here and not by the gateway, whose role on PostgreSQL cannot.
    ledger::establish_epoch(&env, config.ledger.epoch).await?;
    seal_names(&config, &env, ctx, &mut actor).await?;
    if let Some(role) = &args.app_role {
        let actor = actor.get()?;
        // With its entry in one transaction: no role has rights that the ledger does not show.
        let mut tx = db.begin("grants").await?;
        grants::grant(&mut tx, role).await?;
        ledger::audit(&mut tx, &env, &actor, Action::RoleGranted, Some(role), Change::none()).await?;
        tx.commit().await?;
        writeln!(ctx.out(), "role {role} has the rights that serving needs, and no others")?;
    }
    db.close().await;
    Ok(())
}

/// The operator as an actor, resolved once and only when something changes.
struct LazyActor<'a> {
    operator: &'a Operator,
    ctx: &'a Context,
    resolved: Option<Actor>,
}

impl LazyActor<'_> {
    fn get(&mut self) -> anyhow::Result<Actor> {
        if let Some(actor) = &self.resolved {
            return Ok(actor.clone());
        }
        let actor = self.operator.actor(self.ctx)?;
        self.resolved = Some(actor.clone());
        Ok(actor)
    }
}

/// Applies the missing migrations, with their entry in the same transaction: a crash leaves both or neither.
pub(super) async fn migrate(
    env: &Env,
    actor: impl FnOnce() -> anyhow::Result<Actor>,
) -> anyhow::Result<Vec<&'static str>> {
    let migrations::Pending { mut tx, applied } = migrations::begin(&env.db, &*env.clock).await?;
    if !applied.is_empty() {
        let change = Change::of(json!({ "applied": applied }));
        ledger::audit(&mut tx, env, &actor()?, Action::SchemaMigrated, None, change).await?;
    }
    tx.commit().await?;
    Ok(applied)
}

/// Seals names of natural persons that an older schema stored in plain text: a step that needs the key, which no script
/// has.
async fn seal_names(config: &Config, env: &Env, ctx: &Context, actor: &mut LazyActor<'_>) -> anyhow::Result<()> {
    let natural = config.reference.kinds()?.natural();
    if subjects::count_unsealed(&env.db.read("migrate"), &natural).await? == 0 {
        return Ok(());
    }
    // Read only now: without such names a migration needs no key.
    let crypter = crypter(config, &env.db).await?;
    let done = reseal_subjects(env, &actor.get()?, &crypter, &natural).await?;
    writeln!(ctx.out(), "sealed the personal parts of {} subjects, {} names among them", done.subjects, done.plain)?;
    if done.plain > 0 {
        writeln!(ctx.out(), "older back-ups contain these names in plain text: lock them away or destroy them")?;
    }
    Ok(())
}
