//! `medcredit model check|show|diff|doc|export|map`: scoring models.

pub(in crate::cli) mod check;
mod json;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{Context, Usage};
use crate::{
    domain::Kinds,
    grading::{CheckedFile, Library, LibraryError},
    i18n::Lang,
    scoring::{ModelFile, PageFormat, describe_model, diff_models, document_model, shipped},
};

/// Check, show, compare and document scoring models.
#[derive(Debug, clap::Args)]
pub(super) struct ModelCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Check files and report everything that is wrong; without files, list the models in force
    Check {
        /// Files with models, catalogues or mapping tables, or folders of them
        files: Vec<PathBuf>,
    },
    /// Show a model as a tree: weights, rules, and their sources
    Show {
        /// The model's id, such as wenzhou-institution
        id: String,
        /// Print as JSON, one object for each indicator
        #[arg(long)]
        json: bool,
    },
    /// Describe the differences between two models
    Diff {
        /// A model's id, or its file
        old: String,
        /// The other model's id, or its file
        new: String,
    },
    /// Write a model as a document to review and sign
    Doc {
        /// The model's id
        id: String,
        /// The format of the document
        #[arg(long, value_enum, default_value_t = Format::Markdown)]
        format: Format,
        /// The language of the document
        #[arg(long, value_name = "zh|en", default_value_t = Lang::Zh)]
        lang: Lang,
        /// The file to write to [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write the file of a model that is built in, to begin your own from
    Export {
        /// The model's id, such as wenzhou-pharmacy
        id: String,
        /// The file to write to; its folder is created [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Map a grade to the scheme of a receiver
    Map {
        /// The scheme's id, such as wenzhou-951
        scheme: String,
        /// The grade's code
        grade: String,
        /// The receiver's mapping table
        #[arg(long, value_name = "RECEIVER")]
        to: String,
    },
}

/// The format of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Markdown
    Markdown,
    /// Self-contained HTML
    Html,
}

/// The models and catalogues in force: the program's own, and with a configuration those of its folders.
pub(super) fn library(ctx: &Context) -> anyhow::Result<Library> {
    Ok(match &ctx.config_file {
        Some(_) => {
            let grading = ctx.config()?.grading;
            Library::load(&grading.catalogues_directory, &grading.models_directory)?
                .with_mappings(&grading.mappings_directory)?
        }
        None => Library::shipped()?,
    })
}

/// Turns an unknown model, scheme or grade into wrong usage.
pub(super) fn unknown_as_usage(error: LibraryError) -> anyhow::Error {
    match error {
        LibraryError::NoSuchModel { .. }
        | LibraryError::LeftOut { .. }
        | LibraryError::NoSuchScheme { .. }
        | LibraryError::NoSuchGrade { .. }
        | LibraryError::NoMapping { .. } => Usage(error.to_string()).into(),
        other => other.into(),
    }
}

pub(super) fn run(args: ModelCommand, ctx: &Context) -> anyhow::Result<()> {
    let library = library(ctx)?;
    match args.verb {
        Verb::Check { files } if files.is_empty() => check::in_force(&library, ctx),
        Verb::Check { files } => check::files(&library, &files, ctx),
        Verb::Show { id, json } => {
            let model = library.get(&id).map_err(unknown_as_usage)?.model;
            if json {
                writeln!(ctx.out(), "{}", serde_json::to_string_pretty(&json::to_json(model)?)?)?;
            } else {
                write!(ctx.out(), "{}", describe_model(model))?;
            }
            Ok(())
        }
        Verb::Diff { old, new } => {
            let (old, new) = (model_or_file(&library, &old)?, model_or_file(&library, &new)?);
            let lines = diff_models(&old, &new);
            if lines.is_empty() {
                writeln!(ctx.out(), "they are equivalent")?;
            }
            for line in lines {
                writeln!(ctx.out(), "{line}")?;
            }
            Ok(())
        }
        Verb::Doc { id, format, lang, out } => {
            let found = library.get(&id).map_err(unknown_as_usage)?;
            let format = match format {
                Format::Markdown => PageFormat::Markdown,
                Format::Html => PageFormat::Html,
            };
            let kinds = match &ctx.config_file {
                Some(_) => ctx.config()?.reference.kinds()?,
                None => Kinds::built_in()?,
            };
            let kind = kinds.find(found.model.kind()).map_or(found.model.kind(), |kind| kind.name.as_str());
            let page = document_model(found.model, found.catalogue, kind, format, lang);
            match out {
                None => write!(ctx.out(), "{page}")?,
                Some(file) => {
                    let name = file.display().to_string();
                    std::fs::write(&file, page).with_context(|| format!("{name} cannot be written"))?;
                    writeln!(ctx.out(), "{id} was written to {name}")?;
                }
            }
            Ok(())
        }
        Verb::Export { id, out } => {
            let built_in = || shipped::models().map(|(id, _)| id).collect::<Vec<_>>().join(", ");
            let (_, text) = shipped::models()
                .find(|(built_in, _)| *built_in == id)
                .ok_or_else(|| Usage(format!("no model {id} is built in; there are: {}", built_in())))?;
            export(text, out.as_deref(), ctx)
        }
        Verb::Map { scheme, grade, to } => {
            let mapped = library.map(&scheme, &grade, &to).map_err(unknown_as_usage)?;
            writeln!(ctx.out(), "{} {}", mapped.code, mapped.name_zh)?;
            Ok(())
        }
    }
}

/// Writes a built-in file to standard output, or to a new file in a folder that is created where it is missing.
pub(super) fn export(text: &str, out: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let Some(path) = out else { return Ok(ctx.out().write_all(text.as_bytes())?) };
    let name = path.display().to_string();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    }
    // Never over a file of the city's own, which may have been changed since it was exported.
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => anyhow::Error::new(Usage(format!("{name} exists: name another file"))),
        _ => anyhow::Error::new(error).context(name.clone()),
    })?;
    file.write_all(text.as_bytes()).with_context(|| name.clone())?;
    writeln!(ctx.out(), "{name}: {} bytes", text.len())?;
    Ok(())
}

/// A model in force by its id, or one from a file.
fn model_or_file(library: &Library, name: &str) -> anyhow::Result<ModelFile> {
    if !Path::new(name).is_file() {
        return Ok(library.get(name).map_err(unknown_as_usage)?.model.file().clone());
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("{name} cannot be read"))?;
    match library.check_file(name, &text)? {
        CheckedFile::Model(model) => Ok(model.file().clone()),
        CheckedFile::Catalogue(_) | CheckedFile::Mapping(_) => Err(Usage(format!("{name} is not a model")).into()),
    }
}
