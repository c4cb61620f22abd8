//! Tiles from the tables: full ones as they are stored, partial ones from the hashes below them.

use crate::{
    merkle::{Edge, Hash, Span, TILE_WIDTH, TileId, TileNodes},
    store::{
        Db, DbError,
        ledger::{audit, seal},
    },
};

use super::error::LedgerError;

fn number(value: u64) -> Result<i64, LedgerError> {
    i64::try_from(value).map_err(|_| LedgerError::Tampered(format!("{value} is not an index in the tree")))
}

fn hashes(rows: Vec<Vec<u8>>) -> Option<Vec<Hash>> {
    rows.into_iter().map(|row| Hash::try_from(row).ok()).collect()
}

/// The first `width` hashes of a tile, or an error that names the tile.
async fn read_tile(db: &Db, id: TileId, width: u16) -> Result<Vec<Hash>, LedgerError> {
    let missing = || LedgerError::Tampered(format!("{} is missing or has the wrong length", id.path(width)));
    let (level, index) = (i64::from(id.level), number(id.index)?);
    // A full tile never changes and is stored whole; a partial one is put together from the rows below it.
    let read = if usize::from(width) == TILE_WIDTH {
        let bytes = seal::tile(db, level, index).await?.ok_or_else(missing)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        rest.is_empty().then(|| hashes.to_vec())
    } else {
        let from = index.checked_mul(256).ok_or_else(missing)?;
        let to = from.checked_add(i64::from(width)).ok_or_else(missing)?;
        hashes(match id.level {
            0 => seal::leaf_hashes(db, from, to).await?,
            _ => seal::tile_roots(db, level - 1, from, to).await?,
        })
    };
    read.filter(|hashes| hashes.len() == usize::from(width)).ok_or_else(missing)
}

/// The tiles from which the spans of a tree of `size` are computed.
pub(super) async fn nodes(db: &Db, size: u64, spans: &[Span]) -> Result<TileNodes, LedgerError> {
    let mut nodes = TileNodes::default();
    for id in TileNodes::needed(spans) {
        nodes.insert(id, read_tile(db, id, id.width(size)).await?);
    }
    Ok(nodes)
}

/// The right edge of the tree of `size`.
pub(super) async fn edge(db: &Db, size: u64) -> Result<Edge, LedgerError> {
    let mut levels: Vec<Vec<Hash>> = Vec::new();
    for (id, width) in TileId::partials(size) {
        // A level without a partial tile has an empty list.
        levels.resize(usize::from(id.level), Vec::new());
        levels.push(read_tile(db, id, width).await?);
    }
    Edge::from_tiles(size, levels).ok_or_else(|| LedgerError::Tampered(format!("the right edge of size {size}")))
}

/// Whether a checkpoint covers the first `width` hashes of a tile.
async fn is_covered(db: &Db, id: TileId, width: u16) -> Result<bool, LedgerError> {
    // Compared before the tile is read: one that does not exist yet would otherwise be reported as tampering.
    let size = match seal::latest_checkpoint(db).await? {
        // A negative size is never written; read as zero it covers nothing.
        Some(latest) => u64::try_from(latest.tree_size).unwrap_or(0),
        None => 0,
    };
    Ok((1..=id.width(size)).contains(&width))
}

/// A published tile: the bytes of its first `width` hashes; `None` when no checkpoint covers them.
pub async fn published_tile(db: &Db, id: TileId, width: u16) -> Result<Option<Vec<u8>>, LedgerError> {
    if !is_covered(db, id, width).await? {
        return Ok(None);
    }
    Ok(Some(read_tile(db, id, width).await?.concat()))
}

/// The entries of a tile of leaves (C2SP tlog-tiles, entry bundle): for each its length in two bytes, then its canonical
/// JSON; `None` when no checkpoint covers them. Openings are not included.
pub async fn entry_bundle(db: &Db, id: TileId, width: u16) -> Result<Option<Vec<u8>>, LedgerError> {
    if id.level != 0 || !is_covered(db, id, width).await? {
        return Ok(None);
    }
    let wrong = |what: &str| LedgerError::Tampered(format!("the entries of {}: {what}", id.path(width)));
    let from = number(id.index)?.checked_mul(256).ok_or_else(|| wrong("the index is not in the tree"))?;
    let bodies = audit::bodies(db, from, from.saturating_add(i64::from(width))).await?;
    if bodies.len() != usize::from(width) {
        return Err(wrong("one is missing"));
    }
    let mut bundle = Vec::new();
    for body in bodies {
        // The bundle's format has two bytes for the length; a truncated length would shift every later entry.
        let length = u16::try_from(body.len()).map_err(|_| wrong("one is too long for a bundle"))?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(body.as_bytes());
    }
    Ok(Some(bundle))
}

/// A hash that was stored as bytes.
pub(super) fn hash(bytes: &[u8], what: &str) -> Result<Hash, LedgerError> {
    Hash::try_from(bytes)
        .map_err(|_| LedgerError::Store(DbError::corrupt("ledger", format!("{what} does not have 32 bytes"))))
}
