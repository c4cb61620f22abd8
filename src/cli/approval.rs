//! `medcredit approval list|show|approve|reject|withdraw|execute`: acts that need two operators (docs/OPERATORS.md).

use std::io::Write;

use super::{Context, OrFail, context::crypter, ledger::must_be_current, operator::Operator, operators::print_link};
use crate::{
    app::{ActDone, Acts},
    approvals::{Approvals, Proposal, Verdict},
    domain::{Failure, printable::visible},
};

/// Decide and execute acts that another operator has proposed.
#[derive(Debug, clap::Args)]
pub(super) struct ApprovalCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the proposals that wait for a decision or for their execution
    List {
        /// Decided, executed and expired ones too
        #[arg(long)]
        all: bool,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a proposal with what will differ
    Show {
        /// The proposal's id
        proposal: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Approve a proposal of another operator
    Approve(Decide),
    /// Reject a proposal, or one that is approved and not executed
    Reject(Decide),
    /// Take your own proposal back
    Withdraw(Decide),
    /// Do what was approved
    Execute {
        /// The proposal's id
        proposal: String,
        #[command(flatten)]
        operator: Operator,
    },
}

#[derive(Debug, clap::Args)]
struct Decide {
    /// The proposal's id
    proposal: String,
    /// The reason, for the ledger
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    operator: Operator,
}

pub(super) async fn run(args: ApprovalCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let env = ctx.env(&db);
    let approvals = Approvals::open(env.clone(), config.approvals.expiry());
    match args.verb {
        Verb::List { all, json } => list(&approvals.list(all).await.map_err(Failure::from).or_fail()?, json, ctx)?,
        Verb::Show { proposal, json } => {
            show(&approvals.show(&proposal).await.map_err(Failure::from).or_fail()?, json, ctx)?;
        }
        Verb::Approve(of) => decide(&approvals, of, Verdict::Approve, ctx).await?,
        Verb::Reject(of) => decide(&approvals, of, Verdict::Reject, ctx).await?,
        Verb::Withdraw(of) => {
            let actor = of.operator.actor(ctx)?;
            let done = approvals.withdraw(&of.proposal, &actor, of.reason.as_deref()).await;
            let done = done.map_err(Failure::from).or_fail()?;
            writeln!(ctx.out(), "{} is {}", done.id, done.state)?;
        }
        Verb::Execute { proposal, operator } => {
            let actor = operator.actor(ctx)?;
            must_be_current(&config, &db).await?;
            let approved = approvals.take(&proposal).await.map_err(Failure::from).or_fail()?;
            let crypter = crypter(&config, &db).await?;
            let acts = Acts { config: &config, env: &env, crypter: &crypter };
            let done = Box::pin(acts.execute(&actor, approved)).await.or_fail()?;
            print_done(&done, ctx)?;
        }
    }
    db.close().await;
    Ok(())
}

async fn decide(approvals: &Approvals, of: Decide, verdict: Verdict, ctx: &Context) -> anyhow::Result<()> {
    let actor = of.operator.actor(ctx)?;
    let done = approvals.decide(&of.proposal, &actor, verdict, of.reason.as_deref()).await;
    let done = done.map_err(Failure::from).or_fail()?;
    writeln!(ctx.out(), "{} is {}", done.id, done.state)?;
    if verdict == Verdict::Approve {
        let until = done.expires_at.city_time();
        writeln!(ctx.out(), "to do it, until {until}: medcredit approval execute {}", done.id)?;
    }
    Ok(())
}

fn list(proposals: &[Proposal], json: bool, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(proposals)?)?;
        return Ok(());
    }
    for of in proposals {
        let state = of.state.as_str();
        let (act, target) = (of.proposed.act(), of.proposed.target());
        writeln!(out, "{}  {state:12}  {act} {target}  by {}  {}", of.id, of.proposed_by, visible(&of.reason))?;
    }
    writeln!(out, "{} proposals", proposals.len())?;
    Ok(())
}

fn show(of: &Proposal, json: bool, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    if json {
        let mut document = serde_json::to_value(of)?;
        document["difference"] = of.proposed.difference().into();
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    list(std::slice::from_ref(of), false, ctx)?;
    write!(out, "{}", of.proposed.difference())?;
    writeln!(out, "proposed {} by {}: {}", of.proposed_at.city_time(), of.proposed_by, visible(&of.reason))?;
    if let (Some(at), Some(by)) = (of.decided_at, &of.decided_by) {
        writeln!(out, "decided  {} by {by}: {}", at.city_time(), of.decision.as_deref().unwrap_or("no reason"))?;
    }
    if let (Some(at), Some(by)) = (of.executed_at, &of.executed_by) {
        writeln!(out, "done     {} by {by}", at.city_time())?;
    } else {
        writeln!(out, "expires  {}", of.expires_at.city_time())?;
    }
    Ok(())
}

fn print_done(done: &ActDone, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    match done {
        ActDone::ClientRegistered { id, name } => writeln!(out, "registered {id}: {name}")?,
        ActDone::ClientResumed { name } => writeln!(out, "resumed {name}")?,
        ActDone::RunPublished(done) => {
            let (run, period, until) = (&done.run, done.period, done.valid_until);
            writeln!(out, "{run} of {period} is in force: {} subjects, good until {until}", done.subjects)?;
        }
        ActDone::KeySigns { purpose, kid } => writeln!(out, "signs from now on: {purpose}  {kid}")?,
        ActDone::PlatformResumed { platform, changed: true } => writeln!(out, "{platform} gets its packages again")?,
        ActDone::PlatformResumed { platform, changed: false } => {
            writeln!(out, "{platform} is neither paused nor stopped: nothing was changed")?;
        }
        ActDone::PagesRedriven { platform, pages } => {
            writeln!(out, "{pages} pages for {platform} are delivered again")?;
        }
        ActDone::OperatorCreated(invited) => {
            writeln!(out, "created {}: {}", invited.id, invited.name)?;
            print_link(invited, ctx)?;
        }
        ActDone::RolesSet { name } => writeln!(out, "{name} has the approved roles from now on")?,
        ActDone::OperatorResumed { name } => writeln!(out, "{name} can sign in again")?,
    }
    Ok(())
}
