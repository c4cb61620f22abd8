//! The only room that reads settings: one struct and one file per section.
//!
//! `config/gateway.toml` is documentation and default at once: it is compiled in, and the operator's file is laid over it.
//! Unknown keys and values out of range are errors that name file, line and key. To add a section: a block in
//! `config/gateway.toml`, a file here with its struct and [`Section`], and a line in `sections!`.
//!
//! Secrets are never values of the configuration: sections hold paths (`*_file`) and read a [`Secret`] when it is used.

mod authority;
mod consent;
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
mod reference;
mod secret;
mod secrets;
mod store;
mod telemetry;
mod tokens;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use authority::Authority;
pub use consent::Consent;
pub use disclosure::Disclosure;
pub use error::{ConfigError, Problem};
pub use gateway::Gateway;
pub use grading::Grading;
pub use imports::Imports;
pub use ledger::Ledger;
pub use limits::{Limits, Quota};
pub use log::{Log, LogFormat};
pub use outbox::Outbox;
pub use partner::Partner;
pub use portal::Portal;
pub use reference::Reference;
pub use secret::Secret;
pub use secrets::{KeyEncryptionKey, Secrets};
pub use store::{Store, StoreEngine};
pub use telemetry::Telemetry;
pub use tokens::Tokens;

use overlay::Document;

/// The documentation and the defaults: the file of the same name in the repository.
pub const DEFAULTS: &str = include_str!("../../config/gateway.toml");

/// A section of the configuration, which knows what its values must be.
pub trait Section {
    /// Reports every value that cannot be used. Looks at values only, never at files or the network: that is the
    /// doctor's work.
    fn check(&self, report: &mut Report<'_>);
}

/// Where a section reports what is wrong with it.
#[derive(Debug)]
pub struct Report<'a> {
    section: &'static str,
    problems: &'a mut Vec<(String, String)>,
}

impl Report<'_> {
    /// Says what is wrong with the value of a key of this section (`key`, or `table.key` below it).
    pub fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push((format!("{}.{key}", self.section), message.into()));
    }

    /// Says so unless it holds.
    pub fn require(&mut self, holds: bool, key: &str, message: impl Into<String>) {
        if !holds {
            self.wrong(key, message);
        }
    }
}

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident: $ty:ty,)+) => {
        /// The configuration in effect.
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
    /// Who we are to banks.
    gateway: Gateway,
    /// Where everything is kept.
    store: Store,
    /// Keys that protect keys.
    secrets: Secrets,
    /// Our own certification authority.
    authority: Authority,
    /// The listener banks call.
    partner: Partner,
    /// The public listener.
    portal: Portal,
    /// What is logged.
    log: Log,
    /// Metrics and health.
    telemetry: Telemetry,
    /// Access tokens.
    tokens: Tokens,
    /// How much a bank may ask.
    limits: Limits,
    /// The bounds every consent keeps to.
    consent: Consent,
    /// What data answers keep to.
    disclosure: Disclosure,
    /// How answers are recorded and the log is sealed.
    ledger: Ledger,
    /// Files that departments deliver.
    imports: Imports,
    /// What is told to others.
    outbox: Outbox,
    /// Tables of the trade.
    reference: Reference,
    /// Catalogues, models and rounds.
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

    /// Reads a text as if it stood in a file at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let document = Document::lay_over(DEFAULTS, text, &directory)
            .map_err(|problem| ConfigError { file: path.to_owned(), problems: vec![problem] })?;
        let config = Self::read(&document).map_err(|problems| ConfigError { file: path.to_owned(), problems })?;
        let problems: Vec<_> = config
            .wrong_values()
            .into_iter()
            .map(|(key, message)| Problem { line: document.line_of(&key), key, message })
            .collect();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { file: path.to_owned(), problems }) }
    }

    /// The whole as TOML. It holds no secret, only paths of files that do.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string_pretty(self)
    }
}
