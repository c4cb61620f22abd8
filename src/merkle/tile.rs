//! Tiles of 256 hashes (C2SP tlog-tiles): their names, and the nodes that can be computed from them.

use std::{collections::HashMap, fmt, ops::Range, str::FromStr};

use super::{
    Hash, fold,
    proof::{Node, Span},
};

/// Number of hashes of a full tile.
pub const TILE_WIDTH: usize = 256;
/// A tile spans eight levels of the tree.
const HEIGHT: u8 = 8;
/// Level 7 would span 2^64 leaves.
const MAX_LEVEL: u8 = 7;

/// The id of a tile. Its level counts tiles, not nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 for leaf hashes.
    pub level: u8,
    /// Counted from the left, from 0.
    pub index: u64,
}

impl TileId {
    /// A full tile of `level` spans two to this power leaves.
    pub(super) const fn span_bits(level: u8) -> u32 {
        (level as u32 + 1) * HEIGHT as u32
    }

    /// Number of hashes of this tile in a tree of `size` leaves: 256 when it is full, 0 when it does not exist.
    pub fn width(self, size: u64) -> u16 {
        // A shift by 64 bits or more leaves no hash.
        let hashes = size.checked_shr(u32::from(self.level) * u32::from(HEIGHT)).unwrap_or(0);
        let before = self.index.saturating_mul(256);
        u16::try_from(hashes.saturating_sub(before).min(256)).unwrap_or(0)
    }

    /// The partial tiles of a tree of `size` leaves with their widths, lowest level first.
    pub fn partials(size: u64) -> Vec<(Self, u16)> {
        (0..=MAX_LEVEL)
            .filter_map(|level| {
                let hashes = size.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or(0);
                let width = u16::try_from(hashes % 256).unwrap_or(0);
                (width > 0).then_some((Self { level, index: hashes / 256 }, width))
            })
            .collect()
    }

    /// The tile that contains or spans a node, and the hashes of the node's subtree within it.
    fn of(node: Node) -> Option<(Self, Range<usize>)> {
        let level = node.level / HEIGHT;
        let rise = u32::from(node.level % HEIGHT);
        let first = node.index.checked_mul(1u64.checked_shl(rise)?)?;
        let start = usize::try_from(first % 256).ok()?;
        let count = 1usize.checked_shl(rise)?;
        Some((Self { level, index: first / 256 }, start..start.checked_add(count)?))
    }

    /// The path of the tile under a log's prefix; `width` 256 is the full tile.
    pub fn path(self, width: u16) -> String {
        // Groups of three digits, so that no directory has more than a thousand names (C2SP tlog-tiles).
        let mut groups = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups = format!("x{:03}/{groups}", rest % 1000);
            rest /= 1000;
        }
        let partial = if width == 256 { String::new() } else { format!(".p/{width}") };
        format!("tile/{}/{groups}{partial}", self.level)
    }

    /// Parses what [`TileId::path`] writes, and nothing else: a tile has one name.
    pub fn parse_path(path: &str) -> Option<(Self, u16)> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (groups, width) = match rest.split_once(".p/") {
            None => (rest, 256),
            Some((groups, width)) => (groups, decimal::<u16>(width).filter(|width| (1..=255).contains(width))?),
        };
        let level = decimal::<u8>(level).filter(|level| *level <= MAX_LEVEL)?;
        let mut index = 0u64;
        for group in groups.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            // Checked: a path comes from a request, and may have any number of groups.
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let id = Self { level, index };
        // Written again and compared, which refuses every other spelling of the same tile.
        (id.path(width) == path).then_some((id, width))
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path(256))
    }
}

/// A decimal number without leading zeros.
pub(super) fn decimal<T: FromStr>(text: &str) -> Option<T> {
    // The parser also reads a plus sign, which a tile's name may not have.
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (text.len() == 1 || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}

/// Hashes of tiles, from which nodes are computed. [`TileNodes::needed`] lists the tiles of a proof first, so that the
/// caller can fetch them from its storage.
#[derive(Debug, Default)]
pub struct TileNodes(HashMap<TileId, Vec<Hash>>);

impl TileNodes {
    /// The tiles from which spans of a tree are computed, each once.
    pub fn needed(spans: &[Span]) -> Vec<TileId> {
        // Neighbouring nodes share tiles, and each tile is one read of the store.
        let mut ids: Vec<_> =
            spans.iter().flat_map(|span| span.nodes()).filter_map(TileId::of).map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Adds a tile's hashes.
    pub fn insert(&mut self, id: TileId, hashes: Vec<Hash>) {
        self.0.insert(id, hashes);
    }

    /// A complete node; `None` when its tile is missing or too short.
    pub fn node(&self, node: Node) -> Option<Hash> {
        let (id, hashes) = TileId::of(node)?;
        fold(self.0.get(&id)?.get(hashes)?)
    }

    /// The hash over a span; `None` when a tile is missing.
    pub fn hash(&self, span: Span) -> Option<Hash> {
        span.hash(&|node| self.node(node))
    }

    /// The hashes over spans, as a proof lists them; `None` when a tile is missing.
    pub fn hashes(&self, spans: &[Span]) -> Option<Vec<Hash>> {
        spans.iter().map(|span| self.hash(*span)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tree_of_70000_has_the_tiles_of_the_specification() {
        let id = |level, index| TileId { level, index };
        assert_eq!(TileId::partials(70_000), [(id(0, 273), 112), (id(1, 1), 17), (id(2, 0), 1)]);
        assert_eq!(id(0, 272).width(70_000), 256);
        assert_eq!(id(0, 273).width(70_000), 112);
        assert_eq!(id(0, 274).width(70_000), 0);
        assert_eq!(id(1, 0).width(70_000), 256);
        assert_eq!(TileId::partials(256), [(id(1, 0), 1)]);
        assert_eq!(TileId::partials(0), []);
    }

    #[test]
    fn a_tile_has_one_name() {
        let id = TileId { level: 0, index: 1_234_067 };
        assert_eq!(id.path(256), "tile/0/x001/x234/067");
        for other in [
            "tile/0/1",
            "tile/0/0001",
            "tile/00/001",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/044",
            "tile/8/000",
            "tile/0/",
            "tile/0/+01",
            "tile/entries/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(TileId::parse_path(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn names_round_trip(level in 0u8..=7, index in 0u64..1 << 40, width in 1u16..=256) {
            let id = TileId { level, index };
            prop_assert_eq!(TileId::parse_path(&id.path(width)), Some((id, width)));
        }

        #[test]
        fn no_text_upsets_the_reader(text in ".*") {
            if let Some((id, width)) = TileId::parse_path(&text) {
                prop_assert_eq!(id.path(width), text);
            }
        }
    }
}
