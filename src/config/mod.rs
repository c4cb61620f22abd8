//! The only room that reads settings: one struct and one file per section.
//!
//! `config/gateway.toml` has the defaults and their documentation: it is compiled in, and the operator's file is merged over it.
//! Unknown keys and values out of range are errors that name file, line and key. To add a section, add a block to
//! `config/gateway.toml`, a file here with its struct and [`Section`], and a line to `sections!`.
//!
//! Secrets are never values of the configuration: sections have paths (`*_file`), and a [`Secret`] is read when it is used.

mod approvals;
mod authority;
mod clock;
mod consent;
mod console;
mod disclosure;
mod error;
mod gateway;
mod grading;
mod imports;
mod ledger;
mod limits;
mod log;
mod outbox;
mod overlay;
mod partner;
mod portal;
mod push;
mod reference;
mod secret;
mod secrets;
mod store;
mod telemetry;
mod tokens;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use approvals::Approvals;
pub use authority::Authority;
pub use clock::Clock;
pub use consent::Consent;
pub use console::Console;
pub use disclosure::Disclosure;
pub use error::{ConfigError, Problem};
pub use gateway::Gateway;
pub use grading::Grading;
pub use imports::Imports;
pub use ledger::Ledger;
pub use limits::{Limits, Quota};
pub use log::{Log, LogFormat};
pub use outbox::Outbox;
pub use partner::{Partner, TlsFiles};
pub use portal::Portal;
pub use push::Push;
pub use reference::Reference;
pub use secret::Secret;
pub use secrets::{KeyEncryptionKey, Secrets};
pub use store::{Store, StoreEngine};
pub use telemetry::Telemetry;
pub use tokens::Tokens;

use overlay::Document;

/// The defaults with their documentation: `config/gateway.toml` of the repository.
pub const DEFAULTS: &str = include_str!("../../config/gateway.toml");

/// File descriptors for everything but the configured connections: files, telemetry, the runtime. What `serve` leaves.
const OTHER_FILES: u64 = 160;

/// A section of the configuration that checks its values.
pub trait Section {
    /// Reports every value that cannot be used. Checks values only: files and the network are checked by `doctor`.
    fn check(&self, report: &mut Report<'_>);
}

/// Collects the problems of a section.
#[derive(Debug)]
pub struct Report<'a> {
    section: &'static str,
    problems: &'a mut Vec<(String, String)>,
}

impl Report<'_> {
    /// Reports what is wrong with the value of a key of this section (`key`, or `table.key` below it).
    pub fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push((format!("{}.{key}", self.section), message.into()));
    }

    /// Reports a problem unless the condition is true.
    pub fn require(&mut self, condition: bool, key: &str, message: impl Into<String>) {
        if !condition {
            self.wrong(key, message);
        }
    }
}

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident: $ty:ty,)+) => {
        /// The effective configuration.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Config {
            $($(#[$doc])* pub $name: $ty,)+
        }

        impl Config {
            /// The names of the sections, in order.
            pub const SECTIONS: &'static [&'static str] = &[$(stringify!($name)),+];

            fn read(document: &Document) -> Result<Self, Vec<Problem>> {
                let mut problems = document.unknown_sections(Self::SECTIONS);
                $(let $name: Option<$ty> = document.section(stringify!($name), &mut problems);)+
                match ($($name,)+) {
                    ($(Some($name),)+) if problems.is_empty() => Ok(Self { $($name),+ }),
                    _ => Err(problems),
                }
            }

            fn wrong_values(&self) -> Vec<(String, String)> {
                let mut problems = Vec::new();
                $(self.$name.check(&mut Report { section: stringify!($name), problems: &mut problems });)+
                problems
            }
        }
    };
}

sections! {
    /// The gateway's public identity.
    gateway: Gateway,
    /// The database.
    store: Store,
    /// Keys that encrypt keys.
    secrets: Secrets,
    /// The gateway's certification authority.
    authority: Authority,
    /// The listener for banks and departments.
    partner: Partner,
    /// The public listener.
    portal: Portal,
    /// The administrators' listener.
    console: Console,
    /// Acts that need a second operator.
    approvals: Approvals,
    /// The log.
    log: Log,
    /// Metrics and health.
    telemetry: Telemetry,
    /// By how much clocks may differ.
    clock: Clock,
    /// Access tokens.
    tokens: Tokens,
    /// Rate limits of banks.
    limits: Limits,
    /// Limits of consents.
    consent: Consent,
    /// Rules for data responses.
    disclosure: Disclosure,
    /// Recording and sealing.
    ledger: Ledger,
    /// Files that departments upload.
    imports: Imports,
    /// Events and outbound deliveries.
    outbox: Outbox,
    /// Platforms that receive grades.
    push: Push,
    /// Kinds of subject and regions.
    reference: Reference,
    /// Catalogues, models and grading runs.
    grading: Grading,
}

impl Config {
    /// Reads the operator's file over the defaults.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::one(path, None, "", format!("cannot be read: {error}")))?;
        Self::parse(&text, path)
    }

    /// The defaults alone, with paths relative to a directory.
    pub fn defaults(directory: &Path) -> Result<Self, ConfigError> {
        Self::parse("", &directory.join("gateway.toml"))
    }

    /// Reads a text as the content of a file at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let document = Document::merged(DEFAULTS, text, &directory)
            .map_err(|problem| ConfigError { file: path.to_owned(), problems: vec![problem] })?;
        let config = Self::read(&document).map_err(|problems| ConfigError { file: path.to_owned(), problems })?;
        let problems: Vec<_> = config
            .wrong_values()
            .into_iter()
            .map(|(key, message)| Problem { line: document.line_of(&key), key, message })
            .collect();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { file: path.to_owned(), problems }) }
    }

    /// The most file descriptors that the configured connections need, with some for files.
    pub fn open_files(&self) -> u64 {
        let portal = if self.portal.enabled { self.portal.max_connections } else { 0 };
        let console = if self.console.enabled { self.console.max_connections } else { 0 };
        let connections = [self.partner.max_connections, portal, console].map(u64::from).iter().sum::<u64>();
        OTHER_FILES + connections + u64::from(self.store.max_connections)
    }

    /// The names of the sections whose values differ from another configuration's.
    pub fn changed_sections(&self, other: &Self) -> Vec<&'static str> {
        // Infallible: each section is a table of values that TOML has.
        let tables = |config: &Self| toml::Table::try_from(config).unwrap_or_default();
        let (ours, theirs) = (tables(self), tables(other));
        Self::SECTIONS.iter().copied().filter(|section| ours.get(*section) != theirs.get(*section)).collect()
    }

    /// Renders the configuration as TOML. It has no secrets, only the paths of their files.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}
