//! `[store]`: where everything is kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Report, Secret, Section};

/// Which engine keeps the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreEngine {
    /// Embedded, one node.
    Sqlite,
    /// For replicas and for size.
    Postgres,
}

/// Where everything is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Which engine.
    pub engine: StoreEngine,
    /// SQLite: the directory of the two files.
    pub directory: PathBuf,
    /// PostgreSQL: the file with the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// PostgreSQL: connections at most.
    pub max_connections: u32,
}

impl Store {
    /// The URL of the PostgreSQL database, read from its file. It may carry a password.
    pub fn url(&self) -> Result<Secret, ConfigError> {
        match &self.url_file {
            Some(file) => Secret::read(file, "store.url_file"),
            None => {
                Err(ConfigError::one(&self.directory, None, "store.url_file", "is needed with engine = \"postgres\""))
            }
        }
    }
}

impl Section for Store {
    fn check(&self, report: &mut Report<'_>) {
        let complete = self.engine == StoreEngine::Sqlite || self.url_file.is_some();
        report.require(complete, "url_file", "is needed with engine = \"postgres\"");
        // Two for the appends and one for sealing; of the rest an import holds three at a time, and one answers banks.
        report.require((7..=1000).contains(&self.max_connections), "max_connections", "must be between 7 and 1000");
    }
}
