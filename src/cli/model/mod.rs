//! `medcredit model check|show|diff|doc|map`: scoring models as data.

mod check;
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
    /// Say what is wrong with files, all of it at once; without files, say what is in force
    Check {
        /// Files of models, catalogues or mapping tables, or folders of them
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
    /// Tell in words how two models differ
    Diff {
        /// A model's id, or its file
        old: String,
        /// Another's
        new: String,
    },
    /// Write a model as a page to read and sign off
    Doc {
        /// The model's id
        id: String,
        /// As what
        #[arg(long, value_enum, default_value_t = Format::Markdown)]
        format: Format,
        /// Into a file instead of onto the terminal
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Say a grade in the words of a receiver
    Map {
        /// The scheme's id, such as wenzhou-951
        scheme: String,
        /// The grade's code
        grade: String,
        /// The receiver
        #[arg(long, value_name = "RECEIVER")]
        to: String,
    },
}

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Markdown
    Markdown,
    /// HTML that needs nothing else
    Html,
}

/// The models and catalogues in force: with a configuration its folders' too, without one those of the program.
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

/// A model's id that is none is wrong usage.
pub(super) fn known(error: LibraryError) -> anyhow::Error {
    match error {
        LibraryError::NoSuchModel { .. }
        | LibraryError::LeftOut { .. }
        | LibraryError::NoSuchScheme { .. }
        | LibraryError::NoSuchGrade { .. }
        | LibraryError::NoMapping { .. } => Usage(error.to_string()).into(),
        other => other.into(),
    }
}

/// Runs the command.
pub(super) fn run(args: ModelCommand, ctx: &Context) -> anyhow::Result<()> {
    let library = library(ctx)?;
    match args.verb {
        Verb::Check { files } if files.is_empty() => check::in_force(&library, ctx),
        Verb::Check { files } => check::files(&library, &files, ctx),
        Verb::Show { id, json } => {
            let model = library.get(&id).map_err(known)?.model;
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
                writeln!(ctx.out(), "they say the same")?;
            }
            for line in lines {
                writeln!(ctx.out(), "{line}")?;
            }
            Ok(())
        }
        Verb::Doc { id, format, out } => {
            let found = library.get(&id).map_err(known)?;
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
                    writeln!(ctx.out(), "{id} is written to {name}")?;
                }
            }
            Ok(())
        }
        Verb::Map { scheme, grade, to } => {
            let mapped = library.map(&scheme, &grade, &to).map_err(known)?;
            writeln!(ctx.out(), "{} {}", mapped.code, mapped.name_zh)?;
            Ok(())
        }
    }
}

/// A model in force by its id, or one from a file.
fn model_or_file(library: &Library, name: &str) -> anyhow::Result<ModelFile> {
    if !Path::new(name).is_file() {
        return Ok(library.get(name).map_err(known)?.model.file().clone());
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("{name} cannot be read"))?;
    match library.check_file(name, &text)? {
        CheckedFile::Model(model) => Ok(model.file().clone()),
        CheckedFile::Catalogue(_) | CheckedFile::Mapping(_) => Err(Usage(format!("{name} is no model")).into()),
    }
}
