//! `medcredit push plan`: what a package would contain. Nothing is stored and nothing leaves.

use std::io::Write;

use super::site::Site;
use crate::{
    cli::{Context, Usage},
    grading::Rounds,
    push::making::{GradesOf, NotSent, Occasion, Plan, Scope, UsageOf},
};

/// Show what a package would contain, who is left out and why, and what differs from what the platform has.
#[derive(Debug, clap::Args)]
pub(super) struct PlanCommand {
    /// Platforms [default: all that get packages]
    platforms: Vec<String>,
    /// The round [default: every round in force that the platform may have]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// List the subjects that are left out
    #[arg(long)]
    left_out: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &PlanCommand, ctx: &Context) -> anyhow::Result<()> {
    let site = Site::open(ctx).await?;
    let chosen = site.chosen(&args.platforms)?;
    let rounds = Rounds::new(site.deliveries.maker().env().clone()).list().await?;
    let mut plans = Vec::new();
    for platform in &chosen {
        let target = site.deliveries.target(platform)?;
        let mut runs: Vec<&str> = Vec::new();
        if let Some(run) = &args.run {
            runs.push(run);
        } else if target.platform.grades.is_some() {
            for run in rounds.iter().filter(|run| run.state == "published") {
                // What it was sent of a kind that its file no longer names is withdrawn.
                let is_named = target.platform.kinds.contains(&run.kind);
                if is_named || site.deliveries.maker().has_kind(&target.platform, &run.kind).await? {
                    runs.push(&run.id);
                }
            }
        }
        for run in runs {
            let of = GradesOf { platform: &target.platform, run, scope: &Scope::All };
            plans.push(site.deliveries.maker().plan_grades(of).await?);
        }
        if args.run.is_none()
            && let Some(occasion) = Occasion::of_usage(&target.platform, ctx.clock.now())
        {
            let period = occasion.to_string().parse().map_err(|error: crate::domain::Malformed| Usage(error.0))?;
            let of = UsageOf { platform: &target.platform, period: &period, again: false };
            plans.push(site.deliveries.maker().plan_usage(of).await?);
        }
    }
    site.close().await;
    let mut out = ctx.out();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&plans)?)?;
        return Ok(());
    }
    for plan in &plans {
        writeln!(out, "{}", line(plan))?;
        for subject in plan.left_out.iter().filter(|_| args.left_out) {
            writeln!(out, "  {}  {}", subject.code, subject.because)?;
        }
        for error in &plan.unfit {
            writeln!(out, "  does not fit: {error}")?;
        }
    }
    if plans.is_empty() {
        writeln!(out, "no round is in force that these platforms may have")?;
    }
    Ok(())
}

/// A plan in a line.
pub(super) fn line(plan: &Plan) -> String {
    let what = match (&plan.run, &plan.kind) {
        (Some(run), Some(kind)) => format!("{} of {kind}, {run}", plan.period),
        _ => format!("{} of {}", plan.dataset, plan.period),
    };
    let mut parts = vec![format!(
        "{}: {what}: {} new, {} changed, {} withdrawn, {} as they are",
        plan.platform, plan.new, plan.changed, plan.withdrawn, plan.unchanged
    )];
    for (number, words) in [
        (plan.rejected, "rejected and waiting for a person"),
        (plan.waived, "waived"),
        (plan.unfit_rows, "DO NOT FIT the platform's fields"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    }
    let left: Vec<String> = NotSent::ALL
        .iter()
        .map(|reason| (reason, plan.left_out_for(*reason)))
        .filter(|(_, number)| *number > 0)
        .map(|(reason, number)| format!("{number} {}", reason.as_str().replace('_', " ")))
        .collect();
    if !left.is_empty() {
        parts.push(format!("left out: {}", left.join(", ")));
    }
    parts.join("; ")
}
