//! What a machine or a database gives away: files and stores that other users can reach, and a role with too much power.
//! `serve` refuses them unless they are configured, and `doctor` reports them.

use std::{fmt, path::PathBuf};

use super::findings::mode_open_to_others;
use crate::{
    config::{Config, StoreEngine},
    store::{Db, DbError, grants},
};

/// The permission bits that let other users write.
pub(super) const OTHER_USERS_WRITE: u32 = 0o022;

/// How to serve as a role without power over the ledger.
pub(super) const SERVE_AS_APP_ROLE: &str =
    "create a role, run `medcredit migrate --app-role ROLE` as the owner, and put that role's URL in `store.url_file`";

/// A secret or a store that other users of the machine can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exposed {
    /// The name of the check that reports it.
    pub(super) check: &'static str,
    path: PathBuf,
    mode: u32,
    is_directory: bool,
}

impl Exposed {
    /// The command that fixes it.
    pub(super) fn fix(&self) -> String {
        format!("chmod {} {}", if self.is_directory { "700" } else { "600" }, self.path.display())
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Who can write in the directory can put another database there.
        let power = if self.is_directory && self.mode & OTHER_USERS_WRITE != 0 { "write in it" } else { "reach it" };
        write!(f, "{} has mode {:03o}: other users can {power}", self.path.display(), self.mode)
    }
}

/// Every secret of the configuration, with the name of the check that reports it.
pub(super) fn secrets(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let mut files = vec![("key-encryption keys", config.secrets.key_encryption_key_file.clone())];
    if let (StoreEngine::Postgres, Some(url)) = (config.store.engine, &config.store.url_file) {
        files.push(("database URL", url.clone()));
    }
    files.push(("server key", config.partner.key_file.clone()));
    let portal = config.portal.tls_files(&config.partner);
    if config.portal.enabled && portal.key != config.partner.key_file {
        files.push(("portal key", portal.key.to_owned()));
    }
    let console = config.console.tls_files(&config.partner);
    if config.console.enabled && console.key != config.partner.key_file {
        files.push(("console key", console.key.to_owned()));
    }
    files
}

/// The secrets, and SQLite's directory, that other users can reach. What is missing is reported where it is read.
pub(super) fn exposed(config: &Config) -> Vec<Exposed> {
    let mut paths: Vec<_> = secrets(config).into_iter().map(|(check, path)| (check, path, false)).collect();
    if config.store.engine == StoreEngine::Sqlite {
        // Whatever the modes of the files in it: in a private directory nobody reaches them, and in one that others can
        // write to they can be exchanged.
        paths.push(("data directory", config.store.directory.clone(), true));
    }
    let found = paths.into_iter().filter_map(|(check, path, is_directory)| {
        let mode = mode_open_to_others(&path)?;
        Some(Exposed { check, path, mode, is_directory })
    });
    found.collect()
}

/// Refuses to serve while other users can reach a secret or the store, unless that is configured.
pub(super) fn check_files(config: &Config) -> anyhow::Result<()> {
    let exposed = exposed(config);
    if config.secrets.allow_other_users {
        for exposed in &exposed {
            tracing::warn!(reason = %exposed, "other users can reach a secret or the store, as configured");
        }
        return Ok(());
    }
    let lines: Vec<String> = exposed.iter().map(|exposed| format!("{exposed}; run `{}`", exposed.fix())).collect();
    anyhow::ensure!(
        lines.is_empty(),
        "{}. To serve in spite of it, set `[secrets] allow_other_users = true`",
        lines.join(". ")
    );
    Ok(())
}

/// Refuses to serve as a role that could change the ledger, unless that is configured.
pub(super) async fn check_role(config: &Config, db: &Db) -> anyhow::Result<()> {
    match role_excess(db).await? {
        Some(power) if config.store.allow_owner => {
            tracing::warn!(reason = power, "the database role has power over the ledger, as configured");
            Ok(())
        }
        Some(power) => anyhow::bail!(
            "the database role {power}, so that a process that is taken over could rewrite the ledger: \
             {SERVE_AS_APP_ROLE}. To serve in spite of it, set `[store] allow_owner = true`"
        ),
        None => Ok(()),
    }
}

/// What the connected role could do to the ledger, as the end of a sentence.
pub(super) async fn role_excess(db: &Db) -> Result<Option<&'static str>, DbError> {
    grants::excess(db).await
}
