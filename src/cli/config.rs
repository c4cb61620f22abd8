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
    /// Say what is wrong with the configuration file, and with the kinds, regions, catalogues and models it names
    Check,
    /// Print the configuration in effect; without --config, the documented defaults
    Print,
}

/// Runs the command.
pub(super) fn run(args: &ConfigCommand, ctx: &Context) -> anyhow::Result<()> {
    match args.verb {
        Verb::Check => {
            let config = ctx.config()?;
            // What the city's own tables, catalogues and models say is configuration too.
            app::reference_tables(&config, &library(ctx)?)?;
            writeln!(ctx.out(), "The configuration can be used. `medcredit doctor` looks at what it points to.")?;
        }
        Verb::Print => {
            let text = match &ctx.config_file {
                // It holds no secret: sections hold only the paths of files that do.
                Some(file) => Config::load(file)?.to_toml()?,
                None => crate::config::DEFAULTS.to_owned(),
            };
            write!(ctx.out(), "{text}")?;
        }
    }
    Ok(())
}
