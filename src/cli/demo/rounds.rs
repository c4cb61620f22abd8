//! Rounds: every kind of subject is graded by its own model and published; every other model is tried beside them.

use std::io::Write;

use crate::{
    cli::Context,
    domain::{Actor, HalfYear},
    grading::{InForce, Library, Report, Rounds},
    scoring::Model,
};

/// Holds the rounds of half-years that were not held yet, by the present model of each kind, and tells of the last one.
pub(super) async fn hold(
    rounds: &Rounds,
    (library, present): (&Library, &[String]),
    half_years: &[HalfYear],
    grace_months: u8,
    ctx: &Context,
) -> anyhow::Result<()> {
    // A demonstration that was killed on the way may have come as far as some rounds.
    let held = rounds.list().await?;
    let is_held = |model: &str, of: HalfYear| {
        let of = of.to_string();
        held.iter().any(|run| run.published_at.is_some() && run.model_id == model && run.period == of)
    };
    let actor = super::demo_operator()?;
    let mut out = ctx.out();
    for (nth, of) in half_years.iter().enumerate() {
        let last = nth + 1 == half_years.len();
        let mut published = 0;
        for id in present.iter().filter(|id| !is_held(id, *of)) {
            let report = run(rounds, &actor, library.get(id)?, *of, ctx).await?;
            rounds.publish(&actor, &report.run, grace_months).await?;
            published += 1;
            if last {
                writeln!(out, "  round {of}  {id}: {}", told(&report))?;
            }
        }
        if !last && published > 0 {
            writeln!(out, "  round {of}  {published} models, a kind of subject each: published, to be compared with")?;
        }
    }
    let Some(of) = half_years.last() else { return Ok(()) };
    for id in others(library, present) {
        let report = run(rounds, &actor, library.get(id)?, *of, ctx).await?;
        writeln!(out, "  trial {of}  {id}: {}", told(&report))?;
    }
    Ok(())
}

/// The models by which no kind is rated at present: other cities' schemes.
fn others<'l>(library: &'l Library, present: &[String]) -> impl Iterator<Item = &'l str> {
    library.models().map(Model::id).filter(|id| !present.iter().any(|own| own == id))
}

async fn run(
    rounds: &Rounds,
    actor: &Actor,
    in_force: InForce<'_>,
    of: HalfYear,
    ctx: &Context,
) -> anyhow::Result<Report> {
    let bar = ctx.progress(None, "grading");
    let run = rounds.run(actor, in_force, of, &|done, _| bar.set_position(u64::try_from(done).unwrap_or(0))).await?;
    bar.finish_and_clear();
    Ok(rounds.report(&run.id.to_string()).await?)
}

/// How many earned each grade, and how many are not rated.
fn told(report: &Report) -> String {
    let mut told: Vec<String> =
        report.grades.iter().map(|grade| format!("{} {}", grade.name_zh, grade.count)).collect();
    let not_rated: i64 = report.not_rated.values().sum();
    if not_rated > 0 {
        told.push(format!("不参评 {not_rated}"));
    }
    told.join(", ")
}
