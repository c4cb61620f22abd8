//! `medcredit push rejects|retry|waive|pause|resume`: what operators do about deliveries.

use std::io::Write;

use super::{plan::line, site::Site};
use crate::{
    approvals::Proposed,
    cli::{
        Context, Usage,
        context::NothingDone,
        four_eyes::{Act, BreakGlass, acts_alone},
        operator::Operator,
    },
    push::carrier::RejectReason,
};

/// Send rejected rows again, as they would be now, or pages that were given up.
#[derive(Debug, clap::Args)]
pub(super) struct Retry {
    /// The platform
    platform: String,
    /// One record [default: every rejected row]
    record: Option<String>,
    /// Deliver pages again that were given up, in place of rejected rows
    #[arg(long, conflicts_with = "record")]
    pages: bool,
    /// The reason, where another operator has to approve --pages
    #[arg(long, value_name = "TEXT", requires = "pages")]
    reason: Option<String>,
    #[command(flatten)]
    glass: BreakGlass,
    #[command(flatten)]
    operator: Operator,
}

/// Leave a rejected row as it is, for a reason.
#[derive(Debug, clap::Args)]
pub(super) struct Waive {
    /// The platform
    platform: String,
    /// The record (`medcredit push rejects`)
    record: String,
    /// The reason, for the ledger. Name no person
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    operator: Operator,
}

/// Deliver nothing to a platform until it is resumed.
#[derive(Debug, clap::Args)]
pub(super) struct Pause {
    /// The platform
    platform: String,
    /// The reason, for the ledger. Name no person
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    operator: Operator,
}

/// Deliver to a paused platform again; to one that failed, immediately.
#[derive(Debug, clap::Args)]
pub(super) struct Resume {
    /// The platform
    platform: String,
    /// The reason, where another operator has to approve it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    glass: BreakGlass,
    #[command(flatten)]
    operator: Operator,
}

/// Lists the rejected rows of platforms, and the pages that were given up.
pub(super) async fn rejects(named: &[String], as_json: bool, ctx: &Context) -> anyhow::Result<()> {
    let site = Site::open(ctx).await?;
    let mut lists = Vec::new();
    for platform in site.chosen(named)? {
        let (rows, pages) = (site.deliveries.rejected(&platform).await?, site.deliveries.dead_pages(&platform).await?);
        lists.push((platform, rows, pages));
    }
    site.close().await;
    let mut out = ctx.out();
    if as_json {
        let list: Vec<_> = lists
            .iter()
            .map(|(platform, rows, pages)| serde_json::json!({ "platform": platform, "rows": rows, "pages": pages }))
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(());
    }
    for (platform, rows, pages) in &lists {
        for row in rows {
            let words = row.reason.parse::<RejectReason>().unwrap_or(RejectReason::Other).words();
            let note = row.note.as_deref().map(|note| format!(" ({note:?})")).unwrap_or_default();
            writeln!(
                out,
                "{platform}  {}  version {} {} in package {}: {} {} ({}){note}",
                row.record_id, row.version, row.operation, row.package, row.reason, words.zh, words.en
            )?;
            writeln!(out, "    {}", words.remedy_en)?;
        }
        for page in pages {
            writeln!(
                out,
                "{platform}  page {} of package {}, {} rows, was given up: {}",
                page.page, page.package, page.rows, page.because
            )?;
        }
        if !rows.is_empty() {
            writeln!(
                out,
                "{platform}: {} rejected rows. Correct the subject or the platform's file, then medcredit push retry {platform} \
                 [RECORD]; or medcredit push waive {platform} RECORD --reason TEXT",
                rows.len()
            )?;
        }
    }
    if lists.iter().all(|(_, rows, pages)| rows.is_empty() && pages.is_empty()) {
        writeln!(out, "nothing is rejected or given up")?;
    }
    Ok(())
}

pub(super) async fn retry(args: &Retry, ctx: &Context) -> anyhow::Result<()> {
    let site = Site::open(ctx).await?;
    site.chosen(std::slice::from_ref(&args.platform))?;
    site.must_be_current(ctx).await?;
    let actor = args.operator.actor(ctx)?;
    let mut out = ctx.out();
    let done = if args.pages {
        let proposed = Proposed::RedriveDead { platform: args.platform.clone() };
        let act = Act { actor: &actor, proposed, reason: args.reason.as_deref(), glass: args.glass };
        if !acts_alone(act, &ctx.config()?, &site.env(ctx), ctx).await? {
            site.close().await;
            return Ok(());
        }
        let number = site.deliveries.redrive(&args.platform, &actor).await?;
        writeln!(out, "{number} pages are delivered again")?;
        number > 0
    } else {
        let lock = site.lock().await?;
        let made = site.deliveries.resend(&args.platform, args.record.as_deref(), &actor).await;
        lock.release().await?;
        let made = made?;
        for made in &made {
            writeln!(out, "{}", line(&made.plan))?;
        }
        let rows: u64 = made.iter().map(|made| made.plan.rows()).sum();
        writeln!(out, "{rows} rows are sent again")?;
        rows > 0
    };
    site.close().await;
    if done { Ok(()) } else { Err(NothingDone.into()) }
}

pub(super) async fn waive(args: &Waive, ctx: &Context) -> anyhow::Result<()> {
    let site = Site::open(ctx).await?;
    site.chosen(std::slice::from_ref(&args.platform))?;
    let waived = site.deliveries.waive(&args.platform, &args.record, &args.reason, &args.operator.actor(ctx)?).await?;
    site.close().await;
    if !waived {
        let (platform, record) = (&args.platform, &args.record);
        return Err(Usage(format!("{record} has no rejected row: medcredit push rejects {platform}")).into());
    }
    writeln!(ctx.out(), "{} is waived for {}", args.record, args.platform)?;
    Ok(())
}

pub(super) async fn pause(args: &Pause, ctx: &Context) -> anyhow::Result<()> {
    let site = Site::open(ctx).await?;
    site.chosen(std::slice::from_ref(&args.platform))?;
    let paused = site.deliveries.pause(&args.platform, &args.reason, &args.operator.actor(ctx)?).await?.is_some();
    site.close().await;
    if !paused {
        writeln!(ctx.out(), "{} is paused already", args.platform)?;
        return Err(NothingDone.into());
    }
    writeln!(ctx.out(), "{} gets nothing until medcredit push resume {0}", args.platform)?;
    Ok(())
}

pub(super) async fn resume(args: &Resume, ctx: &Context) -> anyhow::Result<()> {
    let site = Site::open(ctx).await?;
    site.chosen(std::slice::from_ref(&args.platform))?;
    let actor = args.operator.actor(ctx)?;
    let proposed = Proposed::ResumePlatform { platform: args.platform.clone() };
    let act = Act { actor: &actor, proposed, reason: args.reason.as_deref(), glass: args.glass };
    if !acts_alone(act, &ctx.config()?, &site.env(ctx), ctx).await? {
        site.close().await;
        return Ok(());
    }
    let resumed = site.deliveries.resume(&args.platform, &actor).await?;
    site.close().await;
    if !resumed {
        writeln!(ctx.out(), "{} is neither paused nor stopped", args.platform)?;
        return Err(NothingDone.into());
    }
    writeln!(ctx.out(), "{} gets its packages again", args.platform)?;
    Ok(())
}
