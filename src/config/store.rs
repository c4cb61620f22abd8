//! `[store]`: the database.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Report, Secret, Section};

/// The database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreEngine {
    /// SQLite: embedded, for one gateway.
    Sqlite,
    /// PostgreSQL: for several gateways and for size.
    Postgres,
}

/// The database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub engine: StoreEngine,
    /// The directory of SQLite's two files.
    pub directory: PathBuf,
    /// The file with PostgreSQL's URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// The most connections to PostgreSQL.
    pub max_connections: u32,
    /// Whether the gateway serves as a role that can change the ledger.
    pub allow_owner: bool,
    /// Whether the gateway serves only while a synchronous standby of PostgreSQL is connected.
    pub require_synchronous_standby: bool,
}

impl Store {
    /// Reads the URL of the PostgreSQL database from its file. It may contain a password.
    pub fn url(&self) -> Result<Secret, ConfigError> {
        match &self.url_file {
            Some(file) => Secret::read(file, "store.url_file"),
            None => {
                Err(ConfigError::one(&self.directory, None, "store.url_file", "is required with engine = \"postgres\""))
            }
        }
    }
}

impl Section for Store {
    fn check(&self, report: &mut Report<'_>) {
        let complete = self.engine == StoreEngine::Sqlite || self.url_file.is_some();
        report.require(complete, "url_file", "is required with engine = \"postgres\"");
        let has_standbys = self.engine == StoreEngine::Postgres || !self.require_synchronous_standby;
        report.require(has_standbys, "require_synchronous_standby", "needs engine = \"postgres\"");
        // Two connections append and one seals. Of the others an import uses three, and one must be left to answer banks.
        report.require((7..=1000).contains(&self.max_connections), "max_connections", "must be between 7 and 1000");
    }
}
