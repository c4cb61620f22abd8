//! Commands that need a second operator: with `[approvals] required` they propose, and `medcredit approval` decides and executes.

use std::io::Write;

use super::{Context, OrFail, Usage};
use crate::{
    approvals::{Approvals, NewProposal, Proposal, Proposed},
    config::Config,
    domain::{Actor, Failure},
    store::Env,
};

/// The option of every command that needs a second operator.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct BreakGlass {
    /// Act immediately and alone, although approvals require a second operator: it is recorded and raises an alert. Give a --reason
    #[arg(long)]
    break_glass: bool,
}

/// An act of a command.
pub(super) struct Act<'a> {
    pub(super) actor: &'a Actor,
    pub(super) proposed: Proposed,
    pub(super) reason: Option<&'a str>,
    pub(super) glass: BreakGlass,
}

/// Whether the command does the act itself. Otherwise it is proposed now, and its id is printed.
pub(super) async fn acts_alone(act: Act<'_>, config: &Config, env: &Env, ctx: &Context) -> anyhow::Result<bool> {
    let Act { actor, proposed, reason, glass } = act;
    if !config.approvals.required {
        if glass.break_glass {
            return Err(Usage("--break-glass: [approvals] require no second operator; leave it out".into()).into());
        }
        return Ok(true);
    }
    let reason = reason.ok_or_else(|| {
        Usage("[approvals] require a second operator for this: give the --reason for which it is proposed".into())
    })?;
    let approvals = Approvals::open(env.clone(), config.approvals.expiry());
    let new = NewProposal { actor, proposed: &proposed, reason };
    if glass.break_glass {
        let made = approvals.break_glass(new).await.map_err(Failure::from).or_fail()?;
        writeln!(ctx.err(), "done by one operator alone: {} is recorded, and an alert is raised", made.id)?;
        return Ok(true);
    }
    let made = approvals.propose(new).await.map_err(Failure::from).or_fail()?;
    print_proposed(&made, ctx)?;
    Ok(false)
}

fn print_proposed(made: &Proposal, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    writeln!(out, "proposed {}: nothing is changed yet", made.id)?;
    write!(out, "{}", made.proposed.difference())?;
    writeln!(
        out,
        "another operator decides until {}: medcredit approval approve {}",
        made.expires_at.city_time(),
        made.id
    )?;
    Ok(())
}
