//! The city: generated, imported and graded, unless the current half-year's round was published.

use std::{io::Write, path::Path, sync::Arc};

use anyhow::Context as _;

use super::{directory::DemoDirectory, rounds};
use crate::{
    app,
    cli::{Context, generate},
    config::Config,
    domain::{HalfYear, Month},
    grading::{Library, Rounds},
    importing::{Importer, Options, Template},
    store::{Crypter, Db, runs},
    synthetic::{self, Request},
};

/// The city's seed: every demonstration has the same city.
const SEED: u64 = 951;
/// The share of staff, employers and insured persons that is generated: a twentieth, in ten-thousandths.
const STAFF_E4: i64 = 500;
/// Months of settlements.
const MONTHS: i32 = 24;

/// A subject of the city.
#[derive(Debug, Clone)]
pub(super) struct DemoSubject {
    pub(super) code: String,
    /// The unified social credit code of its legal entity.
    pub(super) uscc: String,
    pub(super) name: String,
}

/// Generates, imports and grades the city, unless that was done for the current half-year. Returns subjects in good
/// standing, best first.
pub(super) async fn ensure_city(
    directory: &DemoDirectory,
    config: &Config,
    ctx: &Context,
    db: &Db,
    crypter: Arc<Crypter>,
    scale: &str,
) -> anyhow::Result<Vec<DemoSubject>> {
    let library = Library::load(&config.grading.catalogues_directory, &config.grading.models_directory)?;
    let references = app::reference_tables(config, &library)?;
    let today = ctx.clock.now().day();
    let period = last_period(ctx);
    let service = Rounds::new(ctx.env(db));
    let mut out = ctx.out();
    let done = directory.file(&format!("city/{period}/graded"));
    if !done.exists() {
        let folder = directory.file(&format!("city/{period}"));
        let request = request(scale, today.month(), period, today)?;
        let bar = ctx.progress(Some(0), "generating the city");
        let rules = generate::rules(&library, &references.kinds, &[])?;
        // Generating computes and writes for seconds: other tasks must be able to leave this thread.
        let made = tokio::task::block_in_place(|| {
            synthetic::generate(&request, &rules, &folder, &mut |what, done, total| {
                bar.set_message(what);
                bar.set_length(total);
                bar.set_position(done);
            })
        })?;
        bar.finish_and_clear();
        writeln!(
            out,
            "  city         {} institutions, {} pharmacies, {} others with a credit, {} settlement rows, {} credit facts",
            made.institutions,
            made.pharmacies,
            made.others.values().sum::<u64>(),
            made.settlements,
            made.records
        )?;
        let current: Vec<String> = references.kinds.current_models().map(str::to_owned).collect();
        let importer = Importer::new(ctx.env(db), super::demo_operator()?, crypter, references);
        let mut accepted = 0;
        for file in &made.files {
            accepted += import(&importer, file, ctx).await?;
        }
        writeln!(out, "  import       {} files, {accepted} rows accepted", made.files.len())?;
        rounds::publish_missing(
            &service,
            rounds::Models { library: &library, current: &current },
            &request.half_years,
            config.grading.grace_months,
            ctx,
        )
        .await?;
        // Last: after a crash before this line the city is made and imported again.
        std::fs::write(&done, "")?;
    }
    let found = runs::best_rated(&db.read("demo::subjects"), 50).await?;
    let subjects =
        found.into_iter().map(|row| DemoSubject { code: row.code, uscc: row.uscc, name: row.name }).collect();
    Ok(subjects)
}

/// The importer of the city's files.
pub(super) fn importer(config: &Config, ctx: &Context, db: &Db, crypter: Arc<Crypter>) -> anyhow::Result<Importer> {
    let library = Library::load(&config.grading.catalogues_directory, &config.grading.models_directory)?;
    let references = app::reference_tables(config, &library)?;
    Ok(Importer::new(ctx.env(db), super::demo_operator()?, crypter, references))
}

/// The half-year of the last round.
pub(super) fn last_period(ctx: &Context) -> HalfYear {
    HalfYear::of(ctx.clock.now().day().month()).plus(-1)
}

fn request(scale: &str, present: Month, period: HalfYear, today: crate::domain::Day) -> anyhow::Result<Request> {
    let scale: f64 = scale.parse().context("--scale is a number such as 0.05")?;
    Ok(Request {
        seed: SEED,
        scale_e4: scale_e4(scale),
        from: present.plus(-MONTHS),
        to: present.plus(-1),
        half_years: vec![period.plus(-1), period],
        records: None,
        unrated: 0,
        staff_e4: STAFF_E4,
        bad_data: false,
        today,
    })
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a share between 0 and some tens, in ten-thousandths"
)]
fn scale_e4(scale: f64) -> i64 {
    (scale.clamp(0.0001, 100.0) * 10_000.0).round() as i64
}

async fn import(importer: &Importer, file: &Path, ctx: &Context) -> anyhow::Result<u64> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.split(['.', '-', '_']).next().unwrap_or_default();
    let template: Template = stem.parse()?;
    let bar = ctx.progress(Some(0), "importing");
    let report = importer
        .import(template, file, &Options::default(), &mut |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
        })
        .await?;
    bar.finish_and_clear();
    anyhow::ensure!(report.rejected == 0, "{name}: {} rows were rejected", report.rejected);
    Ok(report.accepted)
}
