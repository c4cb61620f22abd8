//! `medcredit model check|show`: scoring models as data.

use std::{io::Write, path::PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Context, Usage};
use crate::{
    grading::{Library, LibraryError},
    scoring::{Model, Points, describe_model, describe_rule},
};

/// Check and show scoring models.
#[derive(Debug, clap::Args)]
pub(super) struct ModelCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Say what is wrong with model files, all of it at once; without files, with those in force
    Check {
        /// Model files
        files: Vec<PathBuf>,
    },
    /// Show a model as a tree: weights, rules, and where each comes from
    Show {
        /// The model's id, such as wenzhou-institution
        id: String,
        /// As JSON, one object for each indicator
        #[arg(long)]
        json: bool,
    },
}

/// The models and catalogues in force: with a configuration its folders' too, without one those of the program.
pub(super) fn library(ctx: &Context) -> anyhow::Result<Library> {
    Ok(match &ctx.config_file {
        Some(_) => {
            let grading = ctx.config()?.grading;
            Library::load(&grading.catalogues_directory, &grading.models_directory)?
        }
        None => Library::shipped()?,
    })
}

/// A model's id that is none is wrong usage.
pub(super) fn known(error: LibraryError) -> anyhow::Error {
    match error {
        LibraryError::NoSuchModel { .. } => Usage(error.to_string()).into(),
        other => other.into(),
    }
}

/// Runs the command.
pub(super) fn run(args: ModelCommand, ctx: &Context) -> anyhow::Result<()> {
    let library = library(ctx)?;
    match args.verb {
        Verb::Check { files } if files.is_empty() => {
            for model in library.models() {
                writeln!(ctx.out(), "{}", summary(model))?;
            }
            Ok(())
        }
        Verb::Check { files } => check(&library, &files, ctx),
        Verb::Show { id, json } => {
            let model = library.get(&id).map_err(known)?.model;
            if json {
                writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&to_json(model)?)?)?;
            } else {
                write!(ctx.out(), "{}", describe_model(model))?;
            }
            Ok(())
        }
    }
}

fn check(library: &Library, files: &[PathBuf], ctx: &Context) -> anyhow::Result<()> {
    let mut refused = 0;
    for file in files {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
        match library.check_model(&name, &text) {
            Ok(model) => writeln!(ctx.out(), "{name}: {}", summary(&model))?,
            Err(error) => {
                refused += 1;
                writeln!(ctx.err(), "{error}")?;
            }
        }
    }
    anyhow::ensure!(refused == 0, "{refused} of {} files cannot be used", files.len());
    Ok(())
}

fn summary(model: &Model) -> String {
    let file = model.file();
    format!(
        "{} version {} can be used: {} indicators, {} points, {} grades, for {}",
        file.id,
        file.version,
        model.indicators().count(),
        file.total,
        file.scheme.grade.len(),
        file.kind
    )
}

/// Whole points as a number, others as text: never as a binary fraction.
fn points(points: Points) -> Value {
    if points.0 % 1000 == 0 { json!(points.0 / 1000) } else { json!(points.to_string()) }
}

fn to_json(model: &Model) -> serde_json::Result<Value> {
    let file = model.file();
    let grades: Vec<Value> = file
        .scheme
        .grade
        .iter()
        .map(|grade| {
            json!({ "code": grade.code, "name": grade.name_zh, "ordinal": grade.ordinal, "from": grade.from.map(points) })
        })
        .collect();
    let mut indicators = Vec::new();
    for placed in model.indicators() {
        let indicator = placed.indicator;
        indicators.push(json!({
            "no": indicator.no,
            "level1": placed.level1.name_zh,
            "level1_weight": points(placed.level1.weight),
            "level2": placed.level2.name_zh,
            "level2_weight": points(placed.level2.weight),
            "name": indicator.name_zh,
            "weight": points(indicator.weight),
            "rule": describe_rule(indicator),
            "value": serde_json::to_value(&indicator.value)?,
            "score": serde_json::to_value(&indicator.score)?,
            "missing": serde_json::to_value(indicator.missing)?,
            "basis": indicator.basis.as_str(),
            "source": indicator.source,
            "reason": indicator.reason,
        }));
    }
    Ok(json!({
        "id": file.id,
        "version": file.version,
        "name": file.name_zh,
        "kind": file.kind,
        "total": points(file.total),
        "published": file.published,
        "default": file.default,
        "scheme": {
            "id": file.scheme.id,
            "version": file.scheme.version,
            "name": file.scheme.name_zh,
            "basis": file.scheme.basis.as_str(),
            "source": file.scheme.source,
            "reason": file.scheme.reason,
            "grades": grades,
        },
        "indicators": indicators,
    }))
}
