//! `--operator`: the person whom the ledger records for a change.

use std::io::Write;

use super::{Context, Usage};
use crate::domain::{Actor, Channel};

/// The option of every command that changes something.
#[derive(Debug, clap::Args)]
pub(super) struct Operator {
    /// Record changes in the ledger under this name [default: the login name]
    // An id of its own: a global option shares its value with every argument of the same id, such as `certs init --name`.
    #[arg(id = "operator", long = "operator", global = true, value_name = "NAME")]
    operator: Option<String>,
}

impl Operator {
    /// The operator as an actor. The default, the login name, is announced on standard error, so that nobody is recorded
    /// without knowing it.
    pub(super) fn actor(&self, ctx: &Context) -> anyhow::Result<Actor> {
        let name = if let Some(name) = &self.operator {
            name.clone()
        } else {
            let login = ctx.login.clone().ok_or_else(|| {
                Usage("this process has no login name: give the name for the ledger with --operator NAME".into())
            })?;
            writeln!(
                ctx.err(),
                "recorded in the ledger as operator {login} (the login name; use --operator for another)"
            )?;
            login
        };
        Ok(Actor::operator(&name, Channel::CommandLine).map_err(|error| Usage(format!("--operator: {}", error.0)))?)
    }
}
