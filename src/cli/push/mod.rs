//! `medcredit push ...`: platforms that receive grades, and their packages.

mod acts;
mod check;
mod list;
mod plan;
mod run;
mod site;
mod status;

use std::path::{Path, PathBuf};

pub(in crate::cli) use check::lacking;

use super::{Context, Usage, model::library};
use crate::{
    domain::Kinds,
    grading::Library,
    push::platform::{Evaluator, Platforms, PlatformsError, Reference},
};

/// Deliver grades to platforms: check their files, make and deliver packages, work on what they reject.
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
    /// Show what a package would contain, who is left out and why, and what differs from what the platform has
    Plan(plan::PlanCommand),
    /// Make the packages that are due, deliver them and read the platforms' answers
    Run(run::Delivery),
    /// Show what platforms were sent, what they answered, and what is in the way
    Status {
        /// Platforms [default: all that get packages]
        platforms: Vec<String>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the rows that platforms rejected, and the pages that were given up
    Rejects {
        /// Platforms [default: all that get packages]
        platforms: Vec<String>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Send rejected rows again, as they would be now, or pages that were given up
    Retry(acts::Retry),
    /// Leave a rejected row as it is, for a reason
    Waive(acts::Waive),
    /// Deliver nothing to a platform until it is resumed
    Pause(acts::Pause),
    /// Deliver to a paused platform again; to one that failed, immediately
    Resume(acts::Resume),
    /// Compare what a platform lists with what it should hold, record by record
    Reconcile {
        /// The platform
        platform: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// List who holds which version of a subject's records
    Holders {
        /// The subject's code
        subject: String,
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

pub(super) async fn run(args: PushCommand, ctx: &Context) -> anyhow::Result<()> {
    match args.verb {
        Verb::Check { files } if files.is_empty() => check::in_force(&Tables::load(ctx)?, ctx),
        Verb::Check { files } => check::files(&Tables::load(ctx)?, &files, ctx),
        Verb::List { json } => list::run(&Tables::load(ctx)?, json, ctx),
        Verb::Plan(args) => plan::run(&args, ctx).await,
        Verb::Run(args) => run::run(&args, ctx).await,
        Verb::Status { platforms, json } => status::status(&platforms, json, ctx).await,
        Verb::Rejects { platforms, json } => acts::rejects(&platforms, json, ctx).await,
        Verb::Retry(args) => acts::retry(&args, ctx).await,
        Verb::Waive(args) => acts::waive(&args, ctx).await,
        Verb::Pause(args) => acts::pause(&args, ctx).await,
        Verb::Resume(args) => acts::resume(&args, ctx).await,
        Verb::Reconcile { platform, json } => status::reconcile(&platform, json, ctx).await,
        Verb::Holders { subject, json } => status::subject(&subject, json, ctx).await,
    }
}
