//! A copy of the whole store in one archive, and its return into an empty store (docs/BACKUP.md).
//!
//! Invariants: a backup is consistent although gateways run, and is recorded in the ledger before anything is copied; an
//! archive is at its name only when it is complete and on disk; a restore verifies all of an archive first, never writes to
//! a store that has something, and returns everything or nothing. What a restored store lacks is not this room's matter:
//! docs/RECOVERY.md.

mod archive;
mod error;
mod manifest;
mod restore;
mod sealed;
mod take;

pub use error::BackupError;
pub use manifest::{LedgerHead, Manifest, Member, Table};
pub use restore::{open_archive, restore_files, restore_tables};
pub use take::{Taken, take};
