//! `medcredit import --template`: writes the empty workbooks of the templates.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::super::{Context, Usage, model::library};
use crate::{app, importing::Template};

/// Writes the workbook of a template to a file, or of each template.
pub(super) fn write(template: Option<Template>, files: &[PathBuf], ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let references = app::reference_tables(&config, &library(ctx)?)?;
    let today = ctx.clock.now().day();
    let files: Vec<(Template, PathBuf)> = match (template, files) {
        (Some(template), []) => vec![(template, usual_name(template))],
        (Some(template), [file]) => vec![(template, file.clone())],
        (None, []) => Template::ALL.iter().map(|template| (*template, usual_name(*template))).collect(),
        _ => return Err(Usage("--template writes one file: name one template and one file".into()).into()),
    };
    for (template, file) in files {
        let bytes = template.workbook(&references, today)?;
        create(&file, &bytes).with_context(|| format!("{} cannot be written", file.display()))?;
        writeln!(ctx.out(), "{template}: {}", file.display())?;
    }
    Ok(())
}

fn usual_name(template: Template) -> PathBuf {
    PathBuf::from(format!("{template}.xlsx"))
}

/// Writes a new file. One that is there may have been filled in already.
fn create(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(bytes)
}
