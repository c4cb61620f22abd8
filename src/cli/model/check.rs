//! `medcredit model check`: checks files, and lists the models in force.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::super::Context;
use crate::{
    domain::region::RegionTable,
    grading::{CheckedFile, Library, toml_files},
    push::mapping_digest,
    scoring::{Catalogue, Mapping, Model},
};

/// Lists the models in force.
pub(super) fn in_force(library: &Library, ctx: &Context) -> anyhow::Result<()> {
    for model in library.models() {
        writeln!(ctx.out(), "{}", summary(model))?;
    }
    for model in library.models() {
        report_misfits(library, model, ctx)?;
    }
    for (id, refused) in library.left_out() {
        writeln!(
            ctx.err(),
            "{id} comes with the program and is not in force: the catalogue lacks measures that it needs"
        )?;
        writeln!(ctx.err(), "{refused}")?;
    }
    Ok(())
}

/// Checks files, and every file in folders.
pub(super) fn files(library: &Library, paths: &[PathBuf], ctx: &Context) -> anyhow::Result<()> {
    let all = texts(paths)?;
    let mut refused = 0;
    for (path, text) in &all {
        let name = path.display().to_string();
        match library.check_file(&name, text) {
            Ok(CheckedFile::Model(model)) => {
                writeln!(ctx.out(), "{name}: {}", summary(&model))?;
                report_misfits(library, &model, ctx)?;
            }
            Ok(CheckedFile::Catalogue(of)) => writeln!(ctx.out(), "{name}: {}", of_catalogue(&of))?,
            Ok(CheckedFile::Mapping(of)) => writeln!(ctx.out(), "{name}: {}", of_mapping(&of))?,
            Err(error) => {
                refused += 1;
                writeln!(ctx.err(), "{error}")?;
            }
        }
    }
    anyhow::ensure!(refused == 0, "{refused} of {} files cannot be used", all.len());
    Ok(())
}

/// The texts of files, and of every file in folders.
pub(in crate::cli) fn texts(paths: &[PathBuf]) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut all: Vec<(PathBuf, String)> = Vec::new();
    for path in paths {
        if path.is_dir() {
            all.extend(toml_files(path)?);
        } else {
            all.push((path.clone(), read(path)?));
        }
    }
    Ok(all)
}

/// Reports that a model is not of the city whose catalogue and regions are in force. It can be used all the same.
pub(in crate::cli) fn report_misfits(library: &Library, model: &Model, ctx: &Context) -> anyhow::Result<()> {
    let regions = match &ctx.config_file {
        Some(_) => ctx.config()?.reference.regions()?,
        None => RegionTable::built_in()?,
    };
    let today = ctx.clock.now().day();
    let Some(catalogue) = library.catalogue(model.kind()) else { return Ok(()) };
    for misfit in model.misfits(catalogue, |name| regions.named(name, today).is_some()) {
        writeln!(ctx.err(), "warning: {misfit}")?;
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn summary(model: &Model) -> String {
    let file = model.file();
    let size = if model.by_points() {
        format!("{} indicators, {} points", model.indicators().count(), file.total)
    } else {
        format!("{} signals, {} rules", file.signal.len(), file.rule.len())
    };
    let grades = file.scheme.grade.len();
    format!("{} version {} can be used: {size}, {grades} grades, for {}", file.id, file.version, file.kind)
}

fn of_catalogue(of: &Catalogue) -> String {
    let (categories, measures) = (of.categories().len(), of.measures().len());
    format!("the catalogue of {} can be used: {categories} categories, {measures} measures", of.kind())
}

fn of_mapping(of: &Mapping) -> String {
    format!("the table from {} for {} can be used: digest {}", of.from(), of.receiver(), mapping_digest(of))
}
