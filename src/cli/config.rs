//! `medcredit config check|print`.

use std::io::Write;

use super::{Context, model::library};
use crate::{app, config::Config};

/// Check or print the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Check the configuration file, and the kinds, regions, working days, catalogues and models that it names
    Check,
    /// Print the configuration in effect; without --config, the defaults with their documentation
    Print,
}

pub(super) fn run(args: &ConfigCommand, ctx: &Context) -> anyhow::Result<()> {
    match args.verb {
        Verb::Check => {
            let config = ctx.config()?;
            // The city's own tables, catalogues and models are configuration too.
            app::reference_tables(&config, &library(ctx)?)?;
            // The present year is needed now; a later one is needed when a deadline reaches into it, and `doctor` warns.
            config.reference.calendar()?.is_provisional(ctx.clock.now().day())?;
            writeln!(ctx.out(), "The configuration can be used. `medcredit doctor` checks everything it points to.")?;
        }
        Verb::Print => {
            let text = match &ctx.config_file {
                // It contains no secrets, only the paths of files with secrets.
                Some(file) => Config::load(file)?.to_toml()?,
                None => crate::config::DEFAULTS.to_owned(),
            };
            write!(ctx.out(), "{text}")?;
        }
    }
    Ok(())
}
