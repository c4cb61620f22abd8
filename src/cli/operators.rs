//! `medcredit operator create|list|show|suspend|resume|reset|roles`: accounts of the console (docs/OPERATORS.md).

use std::io::Write;

use super::{
    Context, Usage,
    context::crypter,
    four_eyes::{Act, BreakGlass, acts_alone},
    operator::Operator,
};
use crate::{
    app,
    approvals::Proposed,
    config::Config,
    principals::{Invited, OperatorDetail, OperatorState, OperatorSummary, Principals, PrincipalsError, Roles},
    store::Env,
};

/// Manage the accounts of the people who administer the gateway.
#[derive(Debug, clap::Args)]
pub(super) struct OperatorCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Create an account, and print the link by which its operator enrols
    Create {
        /// The operator's name, as entries of the ledger will have it
        name: String,
        #[command(flatten)]
        roles: RoleOptions,
        /// The reason, where another operator has to approve it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        glass: BreakGlass,
        #[command(flatten)]
        operator: Operator,
    },
    /// List the accounts with their roles
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show an account and its sessions
    Show {
        /// The operator's name
        name: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Suspend an account and end its sessions
    Suspend(Change),
    /// Resume a suspended account
    Resume {
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        glass: BreakGlass,
    },
    /// Take an account's password, codes and sessions away, and print a new link to enrol
    Reset(Change),
    /// Replace the roles of an account, and end its sessions
    Roles {
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        roles: RoleOptions,
        #[command(flatten)]
        glass: BreakGlass,
    },
}

#[derive(Debug, clap::Args)]
struct RoleOptions {
    /// A role, for all regions or for some: push_officer, or push_officer:330302,330303; repeatable. The roles are system, security,
    /// audit (which exclude each other), consent_officer, scoring_officer, push_officer and read_only
    #[arg(long = "role", value_name = "ROLE[:REGION,...]", required = true)]
    roles: Vec<String>,
}

impl RoleOptions {
    fn read(&self) -> Result<Roles, Usage> {
        Roles::parse(&self.roles).map_err(|error| Usage(format!("--role: {}", error.0)))
    }
}

#[derive(Debug, clap::Args)]
struct Change {
    /// The operator's name
    name: String,
    /// The reason, for the ledger
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(args: OperatorCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let crypter = crypter(&config, &db).await?;
    let principals = Principals::open(ctx.env(&db), crypter, app::principals_policy(&config));
    let env = ctx.env(&db);
    let site = Site { principals: &principals, config: &config, env: &env };
    act(args.verb, &site, ctx).await?;
    db.close().await;
    Ok(())
}

/// What the verbs work on.
struct Site<'a> {
    principals: &'a Principals,
    config: &'a Config,
    env: &'a Env,
}

async fn act(verb: Verb, site: &Site<'_>, ctx: &Context) -> anyhow::Result<()> {
    let (principals, mut out) = (site.principals, ctx.out());
    match verb {
        Verb::Create { name, roles, reason, glass, operator } => {
            let (roles, actor) = (roles.read()?, operator.actor(ctx)?);
            let proposed = Proposed::CreateOperator { name: name.clone(), roles: roles.texts() };
            let act = Act { actor: &actor, proposed, reason: reason.as_deref(), glass };
            // Who administers nothing that is privileged is one operator's decision.
            if roles.is_privileged() && !acts_alone(act, site.config, site.env, ctx).await? {
                return Ok(());
            }
            let invited = principals.create(&actor, &name, &roles).await.map_err(as_usage)?;
            writeln!(out, "created {}: {} ({})", invited.id, invited.name, roles.texts().join(", "))?;
            print_link(&invited, ctx)?;
        }
        Verb::List { json } => list(&principals.operators().await?, json, ctx)?,
        Verb::Show { name, json } => show(&principals.operator(&name).await.map_err(as_usage)?, json, ctx)?,
        Verb::Suspend(change) => {
            let actor = change.operator.actor(ctx)?;
            let reason = change.reason.as_deref();
            let changed = principals.suspend(&actor, &change.name, reason).await.map_err(as_usage)?;
            let text = if changed { "is suspended, and its sessions have ended" } else { "was suspended already" };
            writeln!(out, "{} {text}", change.name)?;
        }
        Verb::Resume { change, glass } => resume(&change, glass, site, ctx).await?,
        Verb::Reset(change) => {
            let actor = change.operator.actor(ctx)?;
            let invited = principals.reset(&actor, &change.name, change.reason.as_deref()).await.map_err(as_usage)?;
            writeln!(out, "{} has no password, codes and sessions any more", invited.name)?;
            print_link(&invited, ctx)?;
        }
        Verb::Roles { change, roles, glass } => set_roles(&change, &roles.read()?, glass, site, ctx).await?,
    }
    Ok(())
}

async fn resume(change: &Change, glass: BreakGlass, site: &Site<'_>, ctx: &Context) -> anyhow::Result<()> {
    let (actor, reason) = (change.operator.actor(ctx)?, change.reason.as_deref());
    let found = site.principals.operator(&change.name).await.map_err(as_usage)?.summary;
    let proposed = Proposed::ResumeOperator { name: found.name };
    let act = Act { actor: &actor, proposed, reason, glass };
    // Without an act nothing is proposed either.
    let suspended = found.state == OperatorState::Suspended;
    if suspended && !acts_alone(act, site.config, site.env, ctx).await? {
        return Ok(());
    }
    let changed = site.principals.resume(&actor, &change.name, reason).await.map_err(as_usage)?;
    let text = if changed { "can sign in again" } else { "was not suspended" };
    writeln!(ctx.out(), "{} {text}", change.name)?;
    Ok(())
}

async fn set_roles(
    change: &Change,
    roles: &Roles,
    glass: BreakGlass,
    site: &Site<'_>,
    ctx: &Context,
) -> anyhow::Result<()> {
    let (actor, reason) = (change.operator.actor(ctx)?, change.reason.as_deref());
    let found = site.principals.operator(&change.name).await.map_err(as_usage)?.summary;
    let before = Roles::parse(&found.roles).map_err(|error| anyhow::anyhow!("{}: {}", found.name, error.0))?;
    let privileged = before != *roles && (before.is_privileged() || roles.is_privileged());
    let proposed = Proposed::SetRoles { name: found.name, before: found.roles, roles: roles.texts() };
    let act = Act { actor: &actor, proposed, reason, glass };
    if privileged && !acts_alone(act, site.config, site.env, ctx).await? {
        return Ok(());
    }
    let changed = site.principals.set_roles(&actor, &change.name, roles, reason).await.map_err(as_usage)?;
    let text = if changed { "has from now on:" } else { "had these roles already:" };
    writeln!(ctx.out(), "{} {text} {}", change.name, roles.texts().join(", "))?;
    Ok(())
}

/// What the caller got wrong is wrong usage; anything else failed.
fn as_usage(error: PrincipalsError) -> anyhow::Error {
    match error {
        PrincipalsError::Name(_)
        | PrincipalsError::Exists(_)
        | PrincipalsError::NoSuchOperator(_)
        | PrincipalsError::Suspended(_)
        | PrincipalsError::Reason(_) => Usage(error.to_string()).into(),
        error => error.into(),
    }
}

pub(super) fn print_link(invited: &Invited, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    writeln!(out, "to enrol, open once, until {}: {}", invited.expires_at.city_time(), invited.link)?;
    writeln!(
        out,
        "the first person to open it has the account: hand it over in person, or by a channel that you trust"
    )?;
    Ok(())
}

fn list(operators: &[OperatorSummary], json: bool, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(operators)?)?;
        return Ok(());
    }
    operators.iter().try_for_each(|operator| line(operator, ctx))?;
    writeln!(out, "{} operators", operators.len())?;
    Ok(())
}

fn line(of: &OperatorSummary, ctx: &Context) -> anyhow::Result<()> {
    let seen = of.seen_at.map_or_else(|| "never signed in".to_owned(), crate::domain::Timestamp::city_time);
    // Padded by its word: `Display` of a word does not pad.
    let state = of.state.as_str();
    writeln!(ctx.out(), "{}  {state:9}  {seen:19}  {}  {}", of.id, of.name, of.roles.join(", "))?;
    Ok(())
}

fn show(operator: &OperatorDetail, json: bool, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(operator)?)?;
        return Ok(());
    }
    line(&operator.summary, ctx)?;
    writeln!(out, "{} recovery codes left", operator.recovery_codes)?;
    for session in &operator.sessions {
        let (created, seen) = (session.created_at.city_time(), session.seen_at.city_time());
        writeln!(out, "{}  since {created}  seen {seen}  {}  {}", session.id, session.address, session.agent)?;
    }
    writeln!(out, "{} sessions", operator.sessions.len())?;
    Ok(())
}
