//! `medcredit push check|list`: platforms that receive grades.

mod check;
mod list;

use std::path::{Path, PathBuf};

pub(in crate::cli) use check::lacking;

use super::{Context, Usage, model::library};
use crate::{
    domain::Kinds,
    grading::Library,
    push::platform::{Evaluator, Platforms, PlatformsError, Reference},
};

/// Check and list the platforms that receive grades.
#[derive(Debug, clap::Args)]
pub(super) struct PushCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Check files of platforms and report everything that is wrong; without files, check the platforms in force
    Check {
        /// Files of platforms, or folders of them
        files: Vec<PathBuf>,
    },
    /// List the platforms in force: what they may have, when, and by which carrier
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// What platforms are checked against, and where the operator's are.
#[derive(Debug)]
pub(in crate::cli) struct Tables {
    pub(in crate::cli) library: Library,
    pub(in crate::cli) kinds: Kinds,
    pub(in crate::cli) evaluator: Evaluator,
    directory: PathBuf,
}

impl Tables {
    /// The tables in force: the program's own, and with a configuration those of its folders.
    pub(in crate::cli) fn load(ctx: &Context) -> anyhow::Result<Self> {
        let library = library(ctx)?;
        Ok(match &ctx.config_file {
            Some(_) => {
                let config = ctx.config()?;
                let push = config.push;
                let evaluator = Evaluator { name: push.evaluator, uscc: push.evaluator_uscc };
                Self { library, kinds: config.reference.kinds()?, evaluator, directory: push.platforms_directory }
            }
            // The folder of the default configuration, which a platform's paths are relative to.
            None => Self {
                library,
                kinds: Kinds::built_in()?,
                evaluator: Evaluator::default(),
                directory: Path::new("platforms").to_owned(),
            },
        })
    }

    /// What platforms are checked against.
    pub(in crate::cli) fn reference(&self) -> Reference<'_> {
        Reference { kinds: &self.kinds, library: &self.library }
    }

    /// The platforms in force.
    pub(in crate::cli) fn platforms(&self, ctx: &Context) -> Result<Platforms, PlatformsError> {
        match &ctx.config_file {
            Some(_) => Platforms::load(&self.directory, &self.reference()),
            None => Ok(Platforms::shipped(&self.directory, &self.reference())),
        }
    }
}

/// Turns an unknown platform into wrong usage.
pub(in crate::cli) fn unknown_as_usage(error: PlatformsError) -> anyhow::Error {
    match error {
        PlatformsError::NoSuchPlatform { .. } | PlatformsError::LeftOut { .. } => Usage(error.to_string()).into(),
        other => other.into(),
    }
}

pub(super) fn run(args: PushCommand, ctx: &Context) -> anyhow::Result<()> {
    let tables = Tables::load(ctx)?;
    match args.verb {
        Verb::Check { files } if files.is_empty() => check::in_force(&tables, ctx),
        Verb::Check { files } => check::files(&tables, &files, ctx),
        Verb::List { json } => list::run(&tables, json, ctx),
    }
}
