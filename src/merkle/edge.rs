//! The right edge of a growing tree: the hashes that are needed to add leaves, and nothing else.

use super::{
    Hash, empty_root, fold,
    tile::{TILE_WIDTH, TileId},
};

/// A tile that has received its last hash, with the hash it contributes to the tile above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullTile {
    /// Its level and index.
    pub id: TileId,
    /// Its 256 hashes.
    pub hashes: Vec<Hash>,
    /// The hash of the subtree it spans.
    pub root: Hash,
}

/// The partial tiles of a tree of some size, one for each level, from the leaves up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// From the partial tiles of a tree of `size` leaves, lowest level first; `None` when their widths contradict the size.
    pub fn from_tiles(size: u64, mut levels: Vec<Vec<Hash>>) -> Option<Self> {
        // Empty levels at the top say nothing, and would fail the comparison with the size below.
        while levels.last().is_some_and(Vec::is_empty) {
            levels.pop();
        }
        let expected = TileId::partials(size);
        let fits = |level: usize, hashes: &Vec<Hash>| {
            let width = expected.iter().find(|(id, _)| usize::from(id.level) == level).map_or(0, |(_, width)| *width);
            hashes.len() == usize::from(width)
        };
        // The empty tree has no level.
        let highest = expected.iter().map(|(id, _)| usize::from(id.level) + 1).max().unwrap_or(0);
        let fits_size = levels.len() == highest && levels.iter().enumerate().all(|(level, hashes)| fits(level, hashes));
        fits_size.then_some(Self { size, levels })
    }

    /// Number of leaves of the tree.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf and returns the tiles it completed, lowest first.
    pub fn push(&mut self, leaf: Hash) -> Vec<FullTile> {
        self.size += 1;
        let mut full = Vec::new();
        let mut carry = Some(leaf);
        let mut level = 0u8;
        while let Some(hash) = carry.take() {
            let at = usize::from(level);
            if self.levels.len() <= at {
                self.levels.push(Vec::new());
            }
            // The level was added above, so it is always there.
            let Some(hashes) = self.levels.get_mut(at) else { break };
            hashes.push(hash);
            if hashes.len() < TILE_WIDTH {
                break;
            }
            // The level is empty again: its hashes are in the full tile from now on.
            let hashes = std::mem::take(hashes);
            // Infallible: 256 hashes have a root.
            let Some(root) = fold(&hashes) else { break };
            // The tile ends with the leaf just added, so it is the last complete one of its level.
            let index = self.size.checked_shr(TileId::span_bits(level)).unwrap_or(0).saturating_sub(1);
            full.push(FullTile { id: TileId { level, index }, hashes, root });
            carry = Some(root);
            level += 1;
        }
        full
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let mut carry: Option<Hash> = None;
        for hashes in &self.levels {
            // Everything to the right at lower levels is the last, smaller neighbour of the hashes at this one.
            carry = match carry {
                None => fold(hashes),
                Some(lower) => fold(&[hashes.as_slice(), &[lower]].concat()),
            };
        }
        // Without a leaf there is no hash to carry.
        carry.unwrap_or_else(empty_root)
    }

    /// The hashes of the partial tile at a level; empty when there is none.
    pub fn partial(&self, level: u8) -> &[Hash] {
        self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }
}
