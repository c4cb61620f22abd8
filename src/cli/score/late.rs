//! What is missing when a run begins.

use std::io::Write;

use crate::{
    cli::Context,
    collection::{CategoryState, Collection},
    config::Config,
    domain::HalfYear,
    scoring::Catalogue,
    store::Db,
};

/// Reports the categories of a half-year that are late: their data is missing from the grades.
pub(super) async fn report(
    db: &Db,
    config: &Config,
    catalogue: &Catalogue,
    period: HalfYear,
    ctx: &Context,
) -> anyhow::Result<()> {
    let collection = Collection::new(db.clone(), ctx.clock.clone(), i64::from(config.imports.grace_days));
    let all = collection.status(catalogue, period).await?;
    let late: Vec<_> = all.iter().filter(|one| one.state == CategoryState::Late).collect();
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
        writeln!(ctx.err(), "warning: {} of {} categories are late", late.len(), all.len())?;
    }
    Ok(())
}
