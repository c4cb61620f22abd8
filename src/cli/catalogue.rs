//! `medcredit catalogue show|export|status`: the data categories of a kind of subject (信息目录), and their deliveries.
//!
//! `status` ends with 0 if nothing is late and with 1 if something is, for use by a scheduler.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand};

use super::{
    Context, Usage,
    model::{export, library},
};
use crate::{
    app,
    collection::{CategoryState, CategoryStatus, Collection},
    domain::{HalfYear, kinds, region, working_days},
    scoring::{Catalogue, Publicity, UpdateFrequency, shipped},
};

/// Show the data categories of a kind of subject, and which deliveries are late.
#[derive(Debug, Args)]
pub(super) struct CatalogueCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the catalogue of a kind: categories with provider, region, validity, frequency, publicity and measures
    Show {
        /// The kind of subject, such as medical_institution
        kind: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a file that is built in, to begin your own from
    Export {
        /// The kind of a catalogue, such as pharmacy; or `kinds`, `regions` or `calendar` for these tables
        kind: String,
        /// The file to write to; its folder is created [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Show which categories of a half-year are late, and their providers; ends with 1 if one is late
    Status {
        /// The half-year, such as 2026H1
        #[arg(long, value_parser = half_year)]
        period: HalfYear,
        /// Only this kind of subject
        #[arg(long)]
        kind: Option<String>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Parses `2026H1`, or `2026-H1` as it is printed.
fn half_year(text: &str) -> Result<HalfYear, String> {
    let plain = text.replacen('H', "-H", usize::from(!text.contains('-')));
    plain.parse().map_err(|_| format!("{text:?} is not a half-year like 2026H1"))
}

pub(super) async fn run(args: CatalogueCommand, ctx: &Context) -> anyhow::Result<()> {
    let library = library(ctx)?;
    let of_kind = |kind: &str| {
        let known = || library.catalogues().map(Catalogue::kind).collect::<Vec<_>>().join(", ");
        library.catalogue(kind).ok_or_else(|| Usage(format!("there is no catalogue of {kind}; there are: {}", known())))
    };
    match args.action {
        Action::Show { kind, json: true } => {
            // The canonical form is JSON already.
            let value: serde_json::Value = serde_json::from_str(&of_kind(&kind)?.canonical())?;
            writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&value)?)?;
            Ok(())
        }
        Action::Show { kind, json: false } => show(of_kind(&kind)?, ctx),
        Action::Export { kind, out } => {
            let tables =
                [("kinds", kinds::BUILT_IN), ("regions", region::BUILT_IN), ("calendar", working_days::BUILT_IN)];
            let built_in = || shipped::catalogues().chain(tables);
            let known = || built_in().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
            let (_, text) = built_in()
                .find(|(name, _)| *name == kind)
                .ok_or_else(|| Usage(format!("no file {kind} is built in; there are: {}", known())))?;
            export(text, out.as_deref(), ctx)
        }
        Action::Status { period, kind, json } => {
            let config = ctx.config()?;
            let catalogues: Vec<&Catalogue> = if let Some(kind) = &kind {
                vec![of_kind(kind)?]
            } else {
                let kinds = app::reference_tables(&config, &library)?.kinds;
                kinds.iter().filter_map(|kind| library.catalogue(kind.catalogue.as_ref()?)).collect()
            };
            let db = ctx.store(&config).await?;
            let collection = Collection::new(db.clone(), ctx.clock.clone(), i64::from(config.imports.grace_days));
            let mut all = Vec::new();
            for catalogue in catalogues {
                all.extend(collection.status(catalogue, period).await?);
            }
            db.close().await;
            print_status(&all, period, json, ctx)
        }
    }
}

const fn frequency(frequency: UpdateFrequency) -> &'static str {
    match frequency {
        UpdateFrequency::Month => "month",
        UpdateFrequency::Quarter => "quarter",
        UpdateFrequency::HalfYear => "half_year",
        UpdateFrequency::Year => "year",
    }
}

const fn publicity(publicity: Publicity) -> &'static str {
    match publicity {
        Publicity::Public => "public",
        Publicity::Shared => "shared",
        Publicity::Query => "query",
        Publicity::Internal => "internal",
    }
}

fn show(catalogue: &Catalogue, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    writeln!(out, "{}: {}", catalogue.kind(), catalogue.name_zh())?;
    if let Some(published) = catalogue.published() {
        writeln!(out, "published by {}: {}", published.source, published.fields.join(", "))?;
    }
    if let Some(default) = catalogue.default_fields() {
        writeln!(out, "default: {}: {}", default.fields.join(", "), default.reason)?;
    }
    for category in catalogue.categories() {
        writeln!(
            out,
            "{:>3}  {:9}  good {:>3} months  {:8}  {} | {} | {}",
            category.no,
            frequency(category.update_frequency),
            category.validity_months,
            publicity(category.publicity),
            category.name_zh,
            category.provider_zh,
            category.region_zh
        )?;
        for measure in catalogue.measures().iter().filter(|measure| measure.category == category.no) {
            writeln!(out, "       {:42}  {}", measure.id, measure.name_zh)?;
        }
    }
    Ok(())
}

const fn state(state: CategoryState) -> &'static str {
    match state {
        CategoryState::Delivered => "delivered",
        CategoryState::Late => "LATE",
        CategoryState::NotDue => "not due",
        CategoryState::Silent => "silent",
    }
}

fn print_status(all: &[CategoryStatus], period: HalfYear, json: bool, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    let late: Vec<&CategoryStatus> = all.iter().filter(|one| one.state == CategoryState::Late).collect();
    if json {
        let value = serde_json::json!({ "period": period, "late": late.len(), "categories": all });
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
    } else {
        let mut kind = "";
        for one in all {
            if one.kind != kind {
                kind = &one.kind;
                writeln!(out, "{kind} in {period}")?;
            }
            let last = one.last_delivery_at.map_or_else(|| "-".to_owned(), |at| at.day().to_string());
            writeln!(
                out,
                "  {:>3}  {:9}  {:9}  {:>9} facts  {:>6} with  {:>6} without  last {last:10}  {} | {}",
                one.no,
                state(one.state),
                frequency(one.update_frequency),
                one.facts,
                one.subjects_with,
                one.subjects_without,
                one.name_zh,
                one.provider_zh
            )?;
        }
    }
    let mut providers: Vec<&str> = late.iter().map(|one| one.provider_zh.as_str()).collect();
    providers.sort_unstable();
    providers.dedup();
    anyhow::ensure!(
        late.is_empty(),
        "{} of {} categories are late, to be delivered by {}",
        late.len(),
        all.len(),
        providers.join(", ")
    );
    Ok(())
}
