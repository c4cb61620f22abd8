//! `medcredit model check|show|diff|doc|map`: scoring models.

pub(in crate::cli) mod check;
mod json;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{Context, Usage};
use crate::{
    grading::{CheckedFile, Library, LibraryError},
    scoring::{ModelFile, PageFormat, describe_model, diff_models, document_model},
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
        /// The file to write to [default: standard output]
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
        Verb::Doc { id, format, out } => {
            let found = library.get(&id).map_err(unknown_as_usage)?;
            let format = match format {
                Format::Markdown => PageFormat::Markdown,
                Format::Html => PageFormat::Html,
            };
            let page = document_model(found.model, found.catalogue, format);
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
        Verb::Map { scheme, grade, to } => {
            let mapped = library.map(&scheme, &grade, &to).map_err(unknown_as_usage)?;
            writeln!(ctx.out(), "{} {}", mapped.code, mapped.name_zh)?;
            Ok(())
        }
    }
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
