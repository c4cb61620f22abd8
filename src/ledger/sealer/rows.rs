//! The rows of a sealing transaction.

use crate::{merkle::FullTile, store::ledger::seal as table};

/// What a sealing transaction writes, beside the checkpoint.
pub(super) struct Rows {
    /// The index of the first new leaf.
    pub(super) first: u64,
    pub(super) full: Vec<FullTile>,
    pub(super) ids: Vec<String>,
}

pub(super) fn tile_columns(tiles: &[FullTile]) -> table::TileColumns {
    table::TileColumns {
        level: tiles.iter().map(|tile| tile.id.level.into()).collect(),
        index: tiles.iter().map(|tile| table_number(tile.id.index)).collect(),
        hashes: tiles.iter().map(|tile| tile.hashes.as_flattened().to_vec()).collect(),
        root: tiles.iter().map(|tile| tile.root.to_vec()).collect(),
    }
}

/// A number in the type of the tables.
pub(super) fn table_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a tree of 2^53 leaves is not reached")]
pub(super) const fn gauge_value(size: u64) -> f64 {
    size as f64
}
