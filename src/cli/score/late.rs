//! What is missing when a run begins.

use std::io::Write;

use crate::{
    cli::Context,
    collection::{CategoryState, Collection},
    config::Config,
    domain::HalfYear,
    scoring::{Catalogue, Model},
    store::Db,
};

/// Reports the categories of a half-year that the model reads and that are late: their data is missing from the grades.
pub(super) async fn report(
    db: &Db,
    config: &Config,
    (model, catalogue): (&Model, &Catalogue),
    period: HalfYear,
    ctx: &Context,
) -> anyhow::Result<()> {
    let collection = Collection::new(db.clone(), ctx.clock.clone(), i64::from(config.imports.grace_days));
    let all = collection.status(catalogue, period).await?;
    let read = model.categories(catalogue);
    let late: Vec<_> = all.iter().filter(|one| one.state == CategoryState::Late && read.contains(&one.no)).collect();
    for one in &late {
        writeln!(
            ctx.err(),
            "warning: {} {} is late, to be delivered by {}: {} of its subjects have no data for {period}",
            one.no,
            one.name_zh,
            one.provider_zh,
            one.subjects_without
        )?;
    }
    if !late.is_empty() {
        writeln!(ctx.err(), "warning: {} of the {} categories that the model reads are late", late.len(), read.len())?;
    }
    Ok(())
}
