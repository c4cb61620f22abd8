//! `medcredit clock accept`: an operator confirms that the clock is right.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Context, operator::Operator};
use crate::{
    app::clock_bounds,
    config::Config,
    ledger::{self, Change},
    store::{Db, durability},
    timekeeping,
};

/// Accept this machine's clock, after a long downtime or after a clock was wrong.
#[derive(Debug, Args)]
pub(super) struct ClockCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Accept this machine's clock as right: gateways no longer compare with earlier readings and seals (docs/CLOCKS.md)
    Accept {
        #[command(flatten)]
        operator: Operator,
        /// By what the clock was checked, such as the time signal of a third party; recorded in the ledger
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn run(args: ClockCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let Verb::Accept { operator, reason } = args.verb;
    let done = accept(&operator, &reason, &config, &db, ctx).await;
    // Before the result is returned, so that the database is closed after a failure too.
    db.close().await;
    done
}

async fn accept(operator: &Operator, reason: &str, config: &Config, db: &Db, ctx: &Context) -> anyhow::Result<()> {
    let (env, bounds) = (ctx.env(db), clock_bounds(config));
    // Never against the database server: one of the two is wrong now, and no gateway would serve with either.
    let now = env.now();
    if let Some(theirs) = durability::database_clock(db).await? {
        anyhow::ensure!(
            theirs.distance(now) <= bounds.max_offset,
            "this machine's clock shows {now}, and the database server's shows {theirs}: set both, and keep them by NTP"
        );
    }
    let disagreed = timekeeping::examine(&env, bounds).await?.err();
    let actor = operator.actor(ctx)?;
    // With its entry in one transaction: no time is accepted that the ledger does not show.
    let mut tx = db.begin("clock::accept").await?;
    timekeeping::accept(&mut tx, now).await?;
    let change = Change::of(json!({ "accepted": now.to_string(), "disagreed": disagreed })).because(Some(reason));
    ledger::audit(&mut tx, &env, &actor, ledger::Action::ClockAccepted, None, change).await?;
    tx.commit().await?;
    writeln!(ctx.out(), "accepted {now}: gateways whose clocks agree with it continue within a second")?;
    Ok(())
}
