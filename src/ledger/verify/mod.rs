//! Verifies a whole ledger: recomputes it from the entries and reports what does not match, and where (I7).
//!
//! Nothing derived is trusted: leaves are hashed from the entries' texts, tiles and roots are computed, every checkpoint's
//! signature is verified. With a [`StateCheck`], consents and counted answers are reconciled with the entries too. The report
//! also states a limit: without a checkpoint from outside the database, the removal of
//! the last entries together with their checkpoints leaves no trace.

mod entries;
mod history;
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
    store::{Db, ledger::audit},
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
    verify_all(target, None, progress).await
}

/// Verifies a ledger and the state that it explains: consents, their events, versions and counted answers, and whether
/// entries are sealed by the time that their receipts promise.
pub async fn verify_with_state(
    target: Target<'_>,
    check: StateCheck,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Report, LedgerError> {
    verify_all(target, Some(check), progress).await
}

async fn verify_all(
    target: Target<'_>,
    check: Option<StateCheck>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Report, LedgerError> {
    let mut report = Report::new();
    // Read before the database: each checkpoint is written to the file after its commit, so the file is never ahead of an
    // untampered ledger that is read later.
    let mut file_checkpoint = read_checkpoint_file(&target, &mut report).await;
    let mut extent = audit::extent(target.db).await?;
    if target.checkpoint_file.is_some() && report.checkpoint_file == CheckpointFileCheck::Absent && extent.sealed > 0 {
        // Read again, in the same order: the file of a new log is written before its first sealing, and both may have
        // come between the two reads above.
        file_checkpoint = read_checkpoint_file(&target, &mut report).await;
        extent = audit::extent(target.db).await?;
        if report.checkpoint_file == CheckpointFileCheck::Absent {
            report.checkpoint_file = CheckpointFileCheck::Missing;
        }
    }
    let leaves = u64::try_from(extent.leaves).unwrap_or(0);
    if let Some(outside) = file_checkpoint.as_ref().filter(|outside| outside.size > leaves) {
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
    let mut tree = Tree::new(&target, leaves, file_checkpoint);
    let mut entries = Entries::new(check);
    let mut from = 0;
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
    entries.finish(target.db, extent.leaves, &mut report).await?;
    if check.is_some() {
        entries.state.compare(target.db, extent.leaves, &mut report).await?;
        report.state_was_compared = true;
    }
    Ok(report)
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
