//! Verification of the tree: leaves without gaps, tiles, and every checkpoint's root and signature.

use std::collections::VecDeque;

use super::{PAGE, Target, report::Report};
use crate::{
    ledger::{
        error::LedgerError,
        keys::{LogKey, open_checkpoint},
        tiles,
    },
    merkle::{Checkpoint, Edge, FullTile, Hash, TILE_WIDTH},
    store::{
        Db,
        ledger::{audit, seal::CheckpointRow},
    },
};

/// The recomputed tree.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    db: &'a Db,
    origin: &'a str,
    keys: &'a [LogKey],
    leaves: u64,
    file_checkpoint: Option<Checkpoint>,
    edge: Edge,
    /// The stored tile of the current leaves, where it is full.
    tile: Option<Vec<Hash>>,
    checkpoints: VecDeque<CheckpointRow>,
    /// The largest checkpoint read.
    after: i64,
    /// The last size at which a root matched.
    matched: u64,
    /// A leaf is missing, so no later root can be computed.
    broken: bool,
    /// Whether all leaves and tiles were counted.
    counts: bool,
    /// A root did not match. Later ones cannot match either and are not reported in detail.
    mismatch: bool,
}

impl<'a> Tree<'a> {
    pub(super) fn new(target: &Target<'a>, leaves: u64, file_checkpoint: Option<Checkpoint>) -> Self {
        Self {
            db: target.db,
            origin: target.origin,
            keys: target.keys,
            leaves,
            file_checkpoint,
            edge: Edge::default(),
            tile: None,
            checkpoints: VecDeque::new(),
            after: 0,
            matched: 0,
            broken: false,
            counts: true,
            mismatch: false,
        }
    }

    /// The tree after a checkpoint that was verified before; none if its leaves are no longer those of the tree.
    pub(super) async fn after(
        target: &Target<'a>,
        leaves: u64,
        file_checkpoint: Option<Checkpoint>,
        verified: &Checkpoint,
        report: &mut Report,
    ) -> Result<Option<Self>, LedgerError> {
        // Of the stored hashes only those at the edge are used, and only if they make the verified root.
        let edge = match tiles::edge(target.db, verified.size).await {
            Ok(edge) if edge.root() == verified.root => edge,
            Ok(_) | Err(LedgerError::Tampered(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut tree = Self::new(target, leaves, file_checkpoint);
        tree.edge = edge;
        tree.after = i64::try_from(verified.size).unwrap_or(i64::MAX);
        tree.matched = verified.size;
        tree.counts = false;
        tree.tile = tree.stored_leaves(verified.size / 256).await?;
        tree.compare_outside(report);
        Ok(Some(tree))
    }

    /// Adds a leaf. `computed` is the hash of its entry's text.
    pub(super) async fn leaf(
        &mut self,
        row: &audit::LeafRow,
        computed: Option<Hash>,
        report: &mut Report,
    ) -> Result<(), LedgerError> {
        let expected = self.edge.size();
        if u64::try_from(row.leaf_index) != Ok(expected) {
            // Only the first gap is reported: every index after it differs as well.
            if !self.broken {
                report.wrong(format!("leaf {expected}"), "it was removed");
            }
            self.broken = true;
        }
        if self.broken {
            return Ok(());
        }
        let place = format!("entry {} (leaf {})", row.entry_id, row.leaf_index);
        let offset = usize::try_from(expected).unwrap_or(0) % TILE_WIDTH;
        if offset == 0 {
            self.tile = self.stored_leaves(expected / 256).await?;
        }
        // The leaf in the sealed tile takes precedence, so that a change to one entry is reported once, here, and the
        // later roots can still be compared.
        let sealed = self.tile.as_ref().and_then(|tile| tile.get(offset)).copied();
        let in_row = row.leaf_hash.as_deref().and_then(|bytes| Hash::try_from(bytes).ok());
        if computed.is_some() && sealed.is_some() && computed != sealed {
            report.wrong(&place, "its text does not hash to the leaf in its tile: one of them was changed");
        }
        // Without any hash for this leaf no root from here on can be computed.
        let Some(leaf) = sealed.or(in_row).or(computed) else {
            self.broken = true;
            return Ok(());
        };
        report.leaves += 1;
        for tile in self.edge.push(leaf) {
            self.tile(&tile, report).await?;
        }
        self.roots(report).await
    }

    async fn stored_leaves(&self, index: u64) -> Result<Option<Vec<Hash>>, LedgerError> {
        if (index + 1).saturating_mul(256) > self.leaves {
            // The last leaves have no full tile yet, and nothing to compare with but their rows.
            return Ok(None);
        }
        let row = audit::tile(self.db, 0, i64::try_from(index).unwrap_or(i64::MAX)).await?;
        Ok(row.and_then(|row| {
            let (hashes, rest) = row.hashes.as_chunks::<32>();
            (rest.is_empty() && hashes.len() == TILE_WIDTH).then(|| hashes.to_vec())
        }))
    }

    async fn tile(&self, tile: &FullTile, report: &mut Report) -> Result<(), LedgerError> {
        // There is no row beyond i64, so such a tile is reported as removed.
        let index = i64::try_from(tile.id.index).unwrap_or(i64::MAX);
        match audit::tile(self.db, i64::from(tile.id.level), index).await? {
            None => report.wrong(tile.id.to_string(), "it was removed"),
            Some(row) if row.hashes == tile.hashes.as_flattened() && row.root == tile.root => report.tiles += 1,
            Some(_) => report.wrong(tile.id.to_string(), "it was changed"),
        }
        Ok(())
    }

    /// Compares the root with every checkpoint of this size.
    async fn roots(&mut self, report: &mut Report) -> Result<(), LedgerError> {
        let size = self.edge.size();
        if self.checkpoints.is_empty() {
            self.checkpoints = audit::checkpoints(self.db, self.after, PAGE).await?.into();
            // After the last page nothing is greater than the maximum, and later queries yield nothing.
            self.after = self.checkpoints.back().map_or(i64::MAX, |row| row.tree_size);
        }
        let due = |row: &CheckpointRow| u64::try_from(row.tree_size).is_ok_and(|at| at <= size);
        while let Some(row) = self.checkpoints.pop_front_if(|row| due(row)) {
            self.checkpoint(&row, report);
        }
        self.compare_outside(report);
        Ok(())
    }

    /// Compares the root with the checkpoint file's. Only the file's own size can be compared. What it covers beyond the
    /// leaves was reported as a cut-off tail before.
    fn compare_outside(&mut self, report: &mut Report) {
        let size = self.edge.size();
        if let Some(outside) = self.file_checkpoint.take_if(|outside| outside.size == size)
            && outside.root != self.edge.root()
        {
            report.wrong(
                "checkpoint file",
                format!("the first {size} leaves are not those of the checkpoint file: history was rewritten"),
            );
        }
    }

    fn checkpoint(&mut self, row: &CheckpointRow, report: &mut Report) {
        let place = format!("checkpoint {}", row.tree_size);
        let checkpoint = match open_checkpoint(&row.note, self.origin, self.keys) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return report.wrong(place, error.to_string()),
        };
        if u64::try_from(row.tree_size) != Ok(checkpoint.size) || row.root != checkpoint.root {
            return report.wrong(place, "its row contradicts the signed note");
        }
        if checkpoint.root == self.edge.root() {
            self.matched = checkpoint.size;
            report.checkpoints += 1;
            report.newest_checkpoint = Some(row.note.clone());
        } else if !self.mismatch {
            self.mismatch = true;
            let from = self.matched;
            report.wrong(
                place,
                format!(
                    "its root is not that of the leaves: one from {from} to {} was changed, removed or exchanged",
                    checkpoint.size - 1
                ),
            );
        } else {
            report.wrong(place, "its root does not match either");
        }
    }

    /// Reports tiles and checkpoints beyond the last leaf.
    pub(super) async fn finish(mut self, stored_tiles: u64, report: &mut Report) -> Result<(), LedgerError> {
        // A level has one full tile for each 256 of the level below: sizes shifted by eight bits a level. A u64 has
        // eight levels.
        let full = |level: u32| self.leaves.checked_shr(8 * (level + 1)).unwrap_or(0);
        let expected: u64 = (0..8).map(full).sum();
        if stored_tiles > expected {
            report.wrong("tiles", format!("there are {stored_tiles}, and {expected} belong to the tree"));
        }
        if self.broken {
            report.wrong("checkpoints", format!("those after {} cannot be verified: leaves are missing", self.matched));
            return Ok(());
        }
        if self.checkpoints.is_empty() {
            self.checkpoints = audit::checkpoints(self.db, self.after, 1).await?.into();
        }
        let ends = self.edge.size();
        // A checkpoint signed during the verification covers leaves that were not read.
        let now = if self.counts { audit::extent(self.db).await? } else { audit::ends(self.db).await? };
        let added = u64::try_from(now.leaves).unwrap_or(0);
        for row in self.checkpoints.iter().filter(|row| u64::try_from(row.tree_size).is_ok_and(|size| size > added)) {
            report.wrong(
                format!("checkpoint {}", row.tree_size),
                format!("it covers more than the {ends} leaves there are: the tail was cut off"),
            );
        }
        Ok(())
    }
}
