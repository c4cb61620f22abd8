//! Rounds: every kind of subject is graded by its current model and published; the other models make trial runs.

use std::io::Write;

use crate::{
    cli::Context,
    domain::{Actor, HalfYear},
    grading::{InForce, Library, Report, Rounds},
    scoring::Model,
};

/// The models to grade with.
pub(super) struct Models<'a> {
    pub(super) library: &'a Library,
    /// The ids of the current models, one for each kind of subject.
    pub(super) current: &'a [String],
}

/// Publishes the rounds of half-years that are not published yet, by the current model of each kind, and prints the last.
pub(super) async fn publish_missing(
    rounds: &Rounds,
    models: Models<'_>,
    half_years: &[HalfYear],
    grace_months: u8,
    ctx: &Context,
) -> anyhow::Result<()> {
    let Models { library, current } = models;
    // A demonstration that was killed may have published some rounds.
    let runs = rounds.list().await?;
    let is_published = |model: &str, of: HalfYear| {
        let of = of.to_string();
        runs.iter().any(|run| run.published_at.is_some() && run.model_id == model && run.period == of)
    };
    let actor = super::demo_operator()?;
    let mut out = ctx.out();
    for (nth, of) in half_years.iter().enumerate() {
        let last = nth + 1 == half_years.len();
        let mut published = 0;
        for id in current.iter().filter(|id| !is_published(id, *of)) {
            let report = run(rounds, &actor, library.get(id)?, *of, ctx).await?;
            rounds.publish(&actor, &report.run, grace_months).await?;
            published += 1;
            if last {
                writeln!(out, "  round {of}  {id}: {}", distribution(&report))?;
            }
        }
        if !last && published > 0 {
            writeln!(out, "  round {of}  {published} models, one for each kind of subject: published, for comparison")?;
        }
    }
    let Some(of) = half_years.last() else { return Ok(()) };
    for id in trial_models(library, current) {
        let report = run(rounds, &actor, library.get(id)?, *of, ctx).await?;
        writeln!(out, "  trial {of}  {id}: {}", distribution(&report))?;
    }
    Ok(())
}

/// The models that are no kind's current one: schemes of other cities.
fn trial_models<'l>(library: &'l Library, current: &[String]) -> impl Iterator<Item = &'l str> {
    library.models().map(Model::id).filter(|id| !current.iter().any(|own| own == id))
}

async fn run(
    rounds: &Rounds,
    actor: &Actor,
    in_force: InForce<'_>,
    of: HalfYear,
    ctx: &Context,
) -> anyhow::Result<Report> {
    let bar = ctx.progress(Some(0), "grading");
    let run = rounds
        .run(actor, in_force, of, &|done, of| {
            bar.set_length(u64::try_from(of).unwrap_or(0));
            bar.set_position(u64::try_from(done).unwrap_or(0));
        })
        .await?;
    bar.finish_and_clear();
    Ok(rounds.report(&run.id.to_string()).await?)
}

/// Formats the number of subjects with each grade, and of those not rated.
fn distribution(report: &Report) -> String {
    let mut counts: Vec<String> =
        report.grades.iter().map(|grade| format!("{} {}", grade.name_zh, grade.count)).collect();
    let not_rated: i64 = report.not_rated.values().sum();
    if not_rated > 0 {
        counts.push(format!("不参评 {not_rated}"));
    }
    counts.join(", ")
}
