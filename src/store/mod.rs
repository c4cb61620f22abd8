//! Every SQL statement of the gateway, one file per group of tables, over one seam for both engines.
//!
//! Invariants: statements are written once, in the dialect SQLite and PostgreSQL share; whoever calls owns the
//! transaction's edges; nothing here decides, it reads and writes what it is told. Only `db.rs`, with what is
//! below it, says Sqlite or Postgres, and this room is the only one that mentions sqlx.

pub mod assessments;
pub mod authorities;
pub mod certificates;
pub mod changes;
pub mod clients;
pub mod consents;
pub mod crypter;
mod db;
pub mod dossier;
pub mod durability;
mod env;
mod error;
pub mod facts;
pub mod grants;
pub mod idempotency;
pub mod imports;
mod job_lock;
pub mod keys;
pub mod ledger;
pub mod migrations;
pub mod outbox;
pub mod personal;
pub mod rounds;
pub mod runs;
pub mod settlements;
pub mod staging;
pub mod subjects;
pub mod tokens;

pub use crypter::{Crypter, CrypterError, Place};
pub use db::{Arg, Column, Db, Engine, Read, Record, Tx};
pub(crate) use db::{args, record};
pub use env::Env;
pub use error::DbError;
pub use job_lock::Exclusive;
