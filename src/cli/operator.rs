//! `--operator`: the person whom the ledger records as having acted.

use std::{fs, io::Write, os::unix::fs::MetadataExt};

use super::{Context, Usage};
use crate::domain::{Actor, Channel};

/// The person who acts.
#[derive(Debug, clap::Args)]
pub(super) struct Operator {
    /// Your name, as the ledger will record it [default: the login name]
    #[arg(long = "operator", global = true, value_name = "NAME")]
    name: Option<String>,
}

impl Operator {
    /// The operator as an actor. A name that was not given is taken from the login and said, so that nobody is recorded
    /// unawares.
    pub(super) fn actor(&self, ctx: &Context) -> anyhow::Result<Actor> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => {
                let login = ctx.login.clone().ok_or_else(|| {
                    Usage(
                        "name the operator for the ledger with --operator NAME: this process has no login name".into(),
                    )
                })?;
                writeln!(
                    ctx.err(),
                    "recorded in the ledger as operator {login} (the login name; --operator names another)"
                )?;
                login
            }
        };
        Ok(Actor::operator(&name, Channel::CommandLine).map_err(|error| Usage(format!("--operator: {}", error.0)))?)
    }
}

/// The login name of this process: whoever called `sudo`, or the owner of the process as the password file names it.
/// The environment is asked for no other name: anybody can set it.
pub(super) fn login_name() -> Option<String> {
    let owner = fs::metadata("/proc/self").ok()?.uid();
    let behind_sudo = (owner == 0).then(|| std::env::var("SUDO_USER").ok()).flatten();
    behind_sudo.or_else(|| name_of(owner, &fs::read_to_string("/etc/passwd").ok()?))
}

fn name_of(owner: u32, passwd: &str) -> Option<String> {
    let fields = passwd.lines().map(|line| line.split(':'));
    fields
        .filter_map(|mut fields| Some((fields.next()?, fields.nth(1)?)))
        .find_map(|(name, uid)| (uid.parse() == Ok(owner)).then(|| name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_named_by_the_password_file() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nlin:x:1000:1000::/home/lin:/bin/sh\n";
        assert_eq!(name_of(1000, passwd).as_deref(), Some("lin"));
        assert_eq!(name_of(1001, passwd), None);
    }
}
