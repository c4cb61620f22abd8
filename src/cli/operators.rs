//! `medcredit operator create|list|show|suspend|resume|reset|roles`: accounts of the console (docs/OPERATORS.md).

use std::io::Write;

use super::{Context, Usage, context::crypter, operator::Operator};
use crate::{
    app,
    principals::{Invited, OperatorDetail, OperatorSummary, Principals, PrincipalsError, Roles},
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
    Resume(Change),
    /// Take an account's password, codes and sessions away, and print a new link to enrol
    Reset(Change),
    /// Replace the roles of an account, and end its sessions
    Roles {
        #[command(flatten)]
        change: Change,
        #[command(flatten)]
        roles: RoleOptions,
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
    act(args.verb, &principals, ctx).await?;
    db.close().await;
    Ok(())
}

async fn act(verb: Verb, principals: &Principals, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    match verb {
        Verb::Create { name, roles, operator } => {
            let roles = roles.read()?;
            let invited = principals.create(&operator.actor(ctx)?, &name, &roles).await.map_err(as_usage)?;
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
        Verb::Resume(change) => {
            let actor = change.operator.actor(ctx)?;
            let changed = principals.resume(&actor, &change.name, change.reason.as_deref()).await.map_err(as_usage)?;
            let text = if changed { "can sign in again" } else { "was not suspended" };
            writeln!(out, "{} {text}", change.name)?;
        }
        Verb::Reset(change) => {
            let actor = change.operator.actor(ctx)?;
            let invited = principals.reset(&actor, &change.name, change.reason.as_deref()).await.map_err(as_usage)?;
            writeln!(out, "{} has no password, codes and sessions any more", invited.name)?;
            print_link(&invited, ctx)?;
        }
        Verb::Roles { change, roles } => {
            let roles = roles.read()?;
            let actor = change.operator.actor(ctx)?;
            let reason = change.reason.as_deref();
            let changed = principals.set_roles(&actor, &change.name, &roles, reason).await.map_err(as_usage)?;
            let text = if changed { "has from now on:" } else { "had these roles already:" };
            writeln!(out, "{} {text} {}", change.name, roles.texts().join(", "))?;
        }
    }
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

fn print_link(invited: &Invited, ctx: &Context) -> anyhow::Result<()> {
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
