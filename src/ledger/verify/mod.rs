//! Verifies a ledger: recomputes it from the entries, all or those after a verified checkpoint, and reports what does not match,
//! and where (I7).
//!
//! Nothing derived is trusted: leaves are hashed from the entries' texts, tiles and roots are computed, every checkpoint's
//! signature is verified. With a [`StateCheck`] and all entries, consents and counted answers are reconciled with them too. The
//! report also states a limit: without a checkpoint from outside the database, the removal of the last entries together with
//! their checkpoints leaves no trace.

mod entries;
mod history;
mod order;
mod report;
mod state;
mod tree;

pub use report::{CheckpointFileCheck, Problem, Report};
pub use state::StateCheck;

use super::{
    checkpoint_file::CheckpointFile,
    error::LedgerError,
    keys::{LogKey, open_checkpoint},
};
use crate::{
    merkle::Checkpoint,
    store::{Db, DbError, ledger::audit},
};

use entries::Entries;
use tree::Tree;

/// How many rows are read at a time.
const PAGE: i64 = 1000;

/// The ledger to verify, with the keys and the checkpoint to verify it against.
#[derive(Debug)]
pub struct Target<'a> {
    pub db: &'a Db,
    /// The log: `<host>/ledger/<epoch>`.
    pub origin: &'a str,
    /// The keys that may have signed its checkpoints, preferably from another source than the same database.
    pub keys: &'a [LogKey],
    /// The file with the newest checkpoint.
    pub checkpoint_file: Option<&'a CheckpointFile>,
}

/// Verifies a ledger alone, also while gateways write to it. `progress` is called with the number of verified leaves and of
/// all.
pub async fn verify(target: Target<'_>, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LedgerError> {
    verify_after(target, None, None, progress).await
}

/// Verifies what was added after a checkpoint that an earlier verification found right. What it covers is not read again: its
/// root must still be that of the stored tree, and later changes to the texts below it stay unseen until everything is verified.
///
/// With a `check`, entries are reported that are not sealed by the time that their receipts promise, and consents and counted
/// answers are compared; the latter only where nothing was verified before: they follow from all entries, and one that was
/// revoked long ago has none among those added since.
pub async fn verify_after(
    target: Target<'_>,
    verified: Option<&Checkpoint>,
    check: Option<StateCheck>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Report, LedgerError> {
    let mut report = Report::new();
    // The checkpoint of an empty log covers nothing: everything is read.
    let verified = verified.filter(|verified| verified.size > 0);
    let (file_checkpoint, extent) = read_ends(&target, verified.is_none(), &mut report).await?;
    let leaves = u64::try_from(extent.leaves).unwrap_or(0);
    check_tail(&extent, leaves, file_checkpoint.as_ref(), &mut report);
    let first = verified.map_or(0, |verified| verified.size);
    let tree = match verified {
        None => Some(Tree::new(&target, leaves, file_checkpoint)),
        Some(verified) if verified.size <= leaves => {
            Tree::after(&target, leaves, file_checkpoint, verified, &mut report).await?
        }
        Some(_) => None,
    };
    let Some(mut tree) = tree else {
        report.wrong("tail", format!("the {first} leaves that were verified before are not in the tree any more"));
        return Ok(report);
    };
    report.verified_before = first;
    let mut entries = Entries::new(check);
    let start = i64::try_from(first).unwrap_or(i64::MAX);
    let mut from = start;
    while from < extent.leaves {
        // Bounded by the extent read above: leaves that a gateway adds meanwhile are not part of this verification.
        let page = audit::leaves(target.db, from, PAGE.min(extent.leaves - from)).await?;
        let Some(last) = page.last().map(|row| row.leaf_index) else {
            report.wrong(format!("leaf {from}"), "it is missing, and every one after it");
            break;
        };
        for row in page {
            // With a gap among the leaves, the last indexes are beyond their count.
            if row.leaf_index < extent.leaves {
                let leaf = entries.leaf(&row, &mut report);
                tree.leaf(&row, leaf, &mut report).await?;
            } else {
                report.wrong(format!("leaf {}", row.leaf_index), "it follows a gap");
            }
        }
        from = last + 1;
        progress(u64::try_from(from).unwrap_or(leaves).min(leaves), leaves);
    }
    tree.finish(u64::try_from(extent.tiles).unwrap_or(0), &mut report).await?;
    let last_verified = if start > 0 { audit::leaves(target.db, start - 1, 1).await?.pop() } else { None };
    let last_verified = last_verified.as_ref().map(|row| row.entry_id.as_str());
    entries.finish(target.db, extent.leaves, last_verified, &mut report).await?;
    if check.is_some() && verified.is_none() {
        entries.state.compare(target.db, extent.leaves, &mut report).await?;
        report.state_was_compared = true;
    }
    Ok(report)
}

/// Reads the checkpoint file and the size of the tree, which `counts` counts.
async fn read_ends(
    target: &Target<'_>,
    counts: bool,
    report: &mut Report,
) -> Result<(Option<Checkpoint>, audit::ExtentRow), LedgerError> {
    // The file before the database: each checkpoint is written to the file after its commit, so the file is never ahead of
    // an untampered ledger that is read later.
    let file_checkpoint = read_checkpoint_file(target, report).await;
    let extent = read_extent(target.db, counts).await?;
    let is_absent = target.checkpoint_file.is_some() && report.checkpoint_file == CheckpointFileCheck::Absent;
    if !is_absent || extent.sealed == 0 {
        return Ok((file_checkpoint, extent));
    }
    // Read again, in the same order: the file of a new log is written before its first sealing, and both may have come
    // between the two reads above.
    let file_checkpoint = read_checkpoint_file(target, report).await;
    let extent = read_extent(target.db, counts).await?;
    if report.checkpoint_file == CheckpointFileCheck::Absent {
        report.checkpoint_file = CheckpointFileCheck::Missing;
    }
    Ok((file_checkpoint, extent))
}

async fn read_extent(db: &Db, counts: bool) -> Result<audit::ExtentRow, DbError> {
    if counts { audit::extent(db).await } else { audit::ends(db).await }
}

/// Compares the end of the tree with what covers it.
fn check_tail(extent: &audit::ExtentRow, leaves: u64, file_checkpoint: Option<&Checkpoint>, report: &mut Report) {
    if let Some(outside) = file_checkpoint.filter(|outside| outside.size > leaves) {
        report.wrong(
            "tail",
            format!(
                "the ledger ends after {leaves} leaves, the checkpoint file covers {}: the tail was cut off",
                outside.size
            ),
        );
    }
    if extent.sealed != extent.leaves {
        report.wrong("tail", format!("{leaves} leaves, but the last checkpoint covers {}", extent.sealed));
    }
}

async fn read_checkpoint_file(target: &Target<'_>, report: &mut Report) -> Option<Checkpoint> {
    let file = target.checkpoint_file?;
    let place = format!("checkpoint file {}", file.path().display());
    match file.read().await {
        Ok(None) => None,
        Ok(Some(note)) => match open_checkpoint(&note, target.origin, target.keys) {
            Ok(checkpoint) => {
                report.checkpoint_file = CheckpointFileCheck::Covers(checkpoint.size);
                Some(checkpoint)
            }
            // Reported, and no end of the verification: the tables are checked all the same.
            Err(error) => {
                report.checkpoint_file = CheckpointFileCheck::Unusable;
                report.wrong(place, error.to_string());
                None
            }
        },
        Err(error) => {
            report.checkpoint_file = CheckpointFileCheck::Unusable;
            report.wrong(place, error.to_string());
            None
        }
    }
}
