//! The manifest: the last member of an archive, which says what the others are.

use serde::{Deserialize, Serialize};

use super::error::BackupError;
use crate::{
    domain::{Timestamp, error_chain},
    store::{Engine, SnapshotFacts, TableColumns},
};

/// The name of the format.
pub(super) const FORMAT: &str = "medcredit-backup";
/// The version of the format; it changes with whatever a reader must know.
pub(super) const VERSION: u32 = 1;

/// What an archive contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `medcredit-backup`.
    pub format: String,
    pub version: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// `sqlite` or `postgres`: an archive is restored into the engine it came from.
    pub engine: String,
    /// The migrations of its schema, in order.
    pub migrations: Vec<String>,
    /// When the copy began.
    pub taken_at: String,
    /// The ledger at that moment.
    pub ledger: LedgerHead,
    /// PostgreSQL's tables, each after those that it refers to.
    pub tables: Vec<Table>,
    /// Every other member, in order.
    pub members: Vec<Member>,
}

/// The ledger in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerHead {
    /// Number of sealed entries.
    pub size: i64,
    /// Root of their tree, hex; none before the first checkpoint.
    pub root: Option<String>,
    /// The newest checkpoint, a signed note.
    pub checkpoint: Option<String>,
    /// Number of entries that were not sealed yet.
    pub waiting: i64,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// With its schema.
    pub name: String,
    /// In the order of the values in its members.
    pub columns: Vec<String>,
}

/// A member of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub name: String,
    /// Bytes.
    pub length: u64,
    /// Hex.
    pub sha256: String,
}

/// The word for an engine.
pub(super) const fn engine_word(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    }
}

impl Manifest {
    /// The manifest of a snapshot, without its members.
    pub(super) fn of(engine: Engine, facts: SnapshotFacts, tables: &[TableColumns], at: Timestamp) -> Self {
        let SnapshotFacts { migrations, checkpoint, waiting } = facts;
        let ledger = LedgerHead {
            size: checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.tree_size),
            root: checkpoint.as_ref().map(|checkpoint| data_encoding::HEXLOWER.encode(&checkpoint.root)),
            checkpoint: checkpoint.map(|checkpoint| checkpoint.note),
            waiting,
        };
        Self {
            format: FORMAT.into(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").into(),
            engine: engine_word(engine).into(),
            migrations,
            taken_at: at.to_string(),
            ledger,
            tables: tables
                .iter()
                .map(|table| Table { name: table.name.clone(), columns: table.columns.clone() })
                .collect(),
            members: Vec::new(),
        }
    }

    /// Reads a manifest. The version first: a later one may have other members.
    pub(super) fn read(text: &[u8]) -> Result<Self, BackupError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let wrong = |error: serde_json::Error| {
            BackupError::Archive(format!("its manifest cannot be read: {}", error_chain(&error)))
        };
        let head: Head = serde_json::from_slice(text).map_err(wrong)?;
        if head.format != FORMAT || head.version != VERSION {
            return Err(BackupError::Archive(format!(
                "it is {} version {}, and this build reads {FORMAT} version {VERSION}",
                head.format, head.version
            )));
        }
        serde_json::from_slice(text).map_err(wrong)
    }

    /// The tables, for the store.
    pub(super) fn table_columns(&self) -> Vec<TableColumns> {
        let of = |table: &Table| TableColumns { name: table.name.clone(), columns: table.columns.clone() };
        self.tables.iter().map(of).collect()
    }

    /// Checks that it is of an engine.
    pub(super) fn check_engine(&self, engine: Engine) -> Result<(), BackupError> {
        let word = engine_word(engine);
        if self.engine == word {
            return Ok(());
        }
        Err(BackupError::Archive(format!("it is of {}, and the configured store is of {word}", self.engine)))
    }
}
