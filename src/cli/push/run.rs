//! `medcredit push run`: makes the packages that are due, delivers them, and reads the answers.

use std::{collections::BTreeMap, io::Write};

use anyhow::Context as _;
use serde::Serialize;

use super::{plan::line, site::Site, status};
use crate::{
    cli::{Context, OrFail as _, context::NothingDone, operator::Operator},
    push::{
        delivery::{Answered, Delivered, PageOutcome, PlatformState},
        making::{Cause, GradesOf, Made, Occasion, Scope},
    },
};

/// Make the packages that are due, deliver them and read the platforms' answers.
#[derive(Debug, clap::Args)]
pub(super) struct Delivery {
    /// Platforms [default: all that get packages]
    platforms: Vec<String>,
    /// Compare this round as a whole, also where nothing is due
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Make packages, and leave their delivery to the gateway
    #[arg(long)]
    make_only: bool,
    #[command(flatten)]
    operator: Operator,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// What was done for a platform.
#[derive(Debug, Serialize)]
struct Done {
    made: Vec<Made>,
    /// Why something could not be made.
    failed: Vec<String>,
    /// Whether another process delivers to it.
    by_another: bool,
    delivered_pages: u64,
    delivered_rows: u64,
    withheld: u64,
    /// Pages that are tried again later.
    later: u64,
    dead: u64,
    accepted: u64,
    rejected: u64,
    /// What could not be read of its answers.
    faults: Vec<String>,
    state: PlatformState,
}

pub(super) async fn run(args: &Delivery, ctx: &Context) -> anyhow::Result<()> {
    let site = Site::open(ctx).await?;
    let chosen = site.chosen(&args.platforms)?;
    site.must_be_current(ctx).await?;
    let mut made = make(args, &site, &chosen, ctx).await?;
    let mut all = Vec::new();
    for platform in &chosen {
        let (delivered, answered) = if args.make_only {
            (Delivered::default(), Answered::default())
        } else {
            deliver(&site, platform, ctx).await?
        };
        let (made, failed) = made.remove(platform).unwrap_or_default();
        let faults = answered.faults.iter().map(ToString::to_string).chain(answered.failed.iter().cloned());
        all.push(Done {
            made,
            failed,
            by_another: !args.make_only && !delivered.is_leased,
            delivered_pages: delivered.pages,
            delivered_rows: delivered.rows,
            withheld: delivered.withheld,
            later: delivered.failed,
            dead: delivered.dead,
            accepted: answered.accepted,
            rejected: answered.rejected,
            faults: faults.collect(),
            state: site.deliveries.state(platform).await?,
        });
    }
    site.deliveries.release().await.or_fail()?;
    site.close().await;
    report(&all, args, ctx)?;
    let failed = all.iter().filter(|done| !done.failed.is_empty() || done.later + done.dead > 0).count();
    anyhow::ensure!(failed == 0, "{failed} of {} platforms did not get everything", all.len());
    let rejected: i64 = all.iter().map(|done| done.state.rejected).sum();
    anyhow::ensure!(rejected == 0, "{rejected} rows are rejected: medcredit push rejects");
    let is_idle = |done: &Done| {
        done.made.iter().all(|made| made.package.is_none()) && done.delivered_pages + done.accepted + done.rejected == 0
    };
    if all.iter().all(is_idle) { Err(NothingDone.into()) } else { Ok(()) }
}

/// What was made for a platform, and why something could not be.
type MadeOrNot = (Vec<Made>, Vec<String>);

/// Makes packages under the lock, by platform.
async fn make(
    args: &Delivery,
    site: &Site,
    chosen: &[String],
    ctx: &Context,
) -> anyhow::Result<BTreeMap<String, MadeOrNot>> {
    let lock = site.lock().await?;
    let mut by_platform: BTreeMap<String, MadeOrNot> = BTreeMap::new();
    let actor = args.operator.actor(ctx)?;
    let routed = site.deliveries.route(&actor).await?;
    let (mut made, mut failed) = (routed.made, routed.failed);
    if let Some(run) = &args.run {
        for platform in chosen {
            let target = site.deliveries.target(platform)?;
            let of = GradesOf { platform: &target.platform, run, scope: &Scope::All };
            let occasion = Occasion::of_round(&target.platform, run, ctx.clock.now());
            match site.deliveries.maker().make_grades(of, Cause::Manual, occasion.as_ref(), &actor).await {
                Ok(outcome) => made.push(outcome),
                Err(error) => failed.push((platform.clone(), error)),
            }
        }
    } else {
        let names: Vec<&str> = chosen.iter().map(String::as_str).collect();
        let due = site.deliveries.make_due(&names, &actor).await?;
        made.extend(due.made);
        failed.extend(due.failed);
    }
    lock.release().await?;
    for made in made {
        by_platform.entry(made.plan.platform.clone()).or_default().0.push(made);
    }
    for (platform, error) in failed {
        by_platform.entry(platform).or_default().1.push(crate::domain::error_chain(&error));
    }
    Ok(by_platform)
}

/// Delivers to a platform, with a bar, and reads its answers.
async fn deliver(site: &Site, platform: &str, ctx: &Context) -> anyhow::Result<(Delivered, Answered)> {
    let waiting = site.deliveries.state(platform).await?.waiting;
    let bar = ctx.progress(Some(u64::try_from(waiting).unwrap_or_default()), "rows");
    let each = |page: &crate::push::delivery::DeliveredPage| {
        if page.outcome == PageOutcome::Delivered {
            bar.inc(page.rows);
        }
    };
    let delivered = site.deliveries.deliver(platform, &|| false, &each).await.or_fail().context(platform.to_owned())?;
    bar.finish_and_clear();
    if !delivered.is_leased {
        return Ok((delivered, Answered::default()));
    }
    let answered = site.deliveries.read_answers(platform, true).await.or_fail().context(platform.to_owned())?;
    Ok((delivered, answered))
}

fn report(all: &[Done], args: &Delivery, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(all)?)?;
        return Ok(());
    }
    for done in all {
        let platform = &done.state.platform;
        for made in &done.made {
            writeln!(out, "{}", line(&made.plan))?;
            if let Some(package) = &made.package {
                let (number, rows, pages, digest) = (package.number, package.rows, package.pages, &package.digest);
                writeln!(out, "  package {number}: {rows} rows in {pages} pages, digest {digest}")?;
            }
        }
        for failed in &done.failed {
            writeln!(ctx.err(), "{platform}: {failed}")?;
        }
        for fault in &done.faults {
            writeln!(ctx.err(), "{platform}: an answer cannot be read: {fault}")?;
        }
        if done.by_another {
            writeln!(out, "{platform}: another process delivers to it: medcredit push status {platform}")?;
        } else if !args.make_only {
            let Done { delivered_rows, delivered_pages, withheld, accepted, rejected, .. } = done;
            writeln!(
                out,
                "{platform}: {delivered_rows} rows in {delivered_pages} pages delivered, {withheld} withheld; {accepted} \
                 accepted, {rejected} rejected"
            )?;
        }
        for line in status::troubles(&done.state) {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}
