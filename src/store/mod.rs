//! Every SQL statement of the gateway, one file per group of tables, over one seam for both engines.
//!
//! Invariants: statements are written once, in the dialect that SQLite and PostgreSQL share; callers begin and commit
//! transactions; this room decides nothing, it reads and writes. Only `db.rs` and the files below it name Sqlite or Postgres
//! types, and only this room mentions sqlx.

pub mod assessments;
pub mod authorities;
pub mod certificates;
pub mod changes;
pub mod clients;
pub mod clocks;
pub mod consent_audit;
pub mod consent_lists;
pub mod consents;
pub mod crypter;
mod db;
pub mod dossier;
pub mod due;
pub mod durability;
pub mod ends;
mod env;
mod error;
pub mod exchange;
pub mod facts;
pub mod grants;
pub mod idempotency;
pub mod imports;
mod job_lock;
pub mod keys;
pub mod ledger;
mod line_file;
pub mod migrations;
pub mod objections;
pub mod operator_sessions;
pub mod operators;
pub mod outbox;
pub mod pair;
pub mod personal;
pub mod proposals;
pub mod push;
pub mod restoration;
pub mod rounds;
pub mod runs;
pub mod server;
pub mod settlements;
pub mod staging;
pub mod statuses;
pub mod subjects;
pub mod tokens;
pub mod voids;

pub use crypter::{Crypter, CrypterError, SealContext};
pub use db::{
    Arg, Column, Db, EndJournal, EndRow, Engine, LastCheckpoint, NewEnd, PoolUse, RESTORING, Read, Record,
    RowStatement, SQLITE_FILES, Snapshot, SnapshotFacts, TableColumns, Tx,
};
pub(crate) use db::{args, record, syncs};
pub use env::{Approval, Env};
pub use error::DbError;
pub use job_lock::JobLock;
pub use line_file::{LineFile, LineTail, Syncing};
