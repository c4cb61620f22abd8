//! The tree's tables: the queue of unsealed entries, leaves in order, full tiles, checkpoints.

use crate::{
    domain::Timestamp,
    store::{Column, Db, DbError, Tx, args, record},
};

record! {
    /// A committed entry that is not in the tree yet.
    pub struct UnsealedRow {
        pub id: String,
        /// Its canonical JSON; none when there is no such entry.
        pub body: Option<String>,
        /// The leaf hash it was appended with.
        pub leaf_hash: Option<Vec<u8>>,
    }
}

record! {
    struct IdsRow {
        ids: Option<String>,
    }
}

record! {
    /// A signed checkpoint.
    pub struct CheckpointRow {
        pub tree_size: i64,
        pub root: Vec<u8>,
        pub note: String,
    }
}

record! {
    /// The size of the sealer's queue.
    pub struct BacklogRow {
        /// Entries in the queue.
        pub waiting: i64,
        /// When the oldest of them was committed.
        pub oldest_at: Option<i64>,
    }
}

record! {
    struct BytesRow {
        hashes: Vec<u8>,
    }
}

record! {
    /// An entry with its opening and its leaf in the tree.
    pub struct LedgerEntryRow {
        pub kind: String,
        /// The entry's canonical JSON.
        pub body: String,
        /// None until the entry is sealed.
        pub leaf_index: Option<i64>,
        /// The opening's canonical JSON; none once erased.
        pub opening: Option<String>,
        pub client_id: Option<String>,
    }
}

/// One row for all ids, because the driver's cost is by the row. Only ids after a given one: before it PostgreSQL would step
/// over the removed rows of the queue until it is vacuumed.
const UNSEALED_IDS: &str = "/* ledger::unsealed_ids */ \
    SELECT string_agg(waiting.entry_id, ' ') AS ids \
    FROM (SELECT entry_id FROM ledger_unsealed WHERE entry_id > $2 ORDER BY entry_id LIMIT $1) waiting";

/// The ids of entries that wait to be sealed and follow an id, roughly in the order they were created.
pub async fn unsealed_ids(db: &Db, after: &str, limit: i64) -> Result<Vec<String>, DbError> {
    let row: IdsRow = db.read("ledger.unsealed").fetch_one(UNSEALED_IDS, args![limit, after]).await?;
    let mut ids: Vec<_> = row.ids.as_deref().unwrap_or_default().split_terminator(' ').map(str::to_owned).collect();
    // `string_agg` promises no order.
    ids.sort_unstable();
    Ok(ids)
}

/// Each entry is looked up by its key: for a join PostgreSQL would read all entries, because its statistics do not show in
/// time how few are waiting.
const UNSEALED: &str = "/* ledger::unsealed */ \
    SELECT value->>'id' AS id, (SELECT e.body FROM ledger_entries e WHERE e.id = value->>'id') AS body, \
    (SELECT e.leaf_hash FROM ledger_entries e WHERE e.id = value->>'id') AS leaf_hash FROM json_few_rows($1)";

/// Entries that wait to be sealed, as they are stored; rows `{id}`.
pub async fn unsealed(db: &Db, rows: String) -> Result<Vec<UnsealedRow>, DbError> {
    db.read("ledger.unsealed").fetch_all(UNSEALED, args![rows]).await
}

// Ids begin with the time of creation, so the least id is about the oldest entry.
const BACKLOG: &str = "/* ledger::backlog */ \
    SELECT (SELECT CAST(count(*) AS BIGINT) FROM ledger_unsealed) AS waiting, \
    (SELECT e.committed_at FROM ledger_entries e WHERE e.id = (SELECT MIN(u.entry_id) FROM ledger_unsealed u)) AS oldest_at";

/// The size of the sealer's queue.
pub async fn backlog(db: &Db) -> Result<BacklogRow, DbError> {
    db.read("ledger.backlog").fetch_one(BACKLOG, args![]).await
}

const INSERT_LEAVES: &str = "/* ledger::insert_leaves */ \
    INSERT INTO ledger_leaves (leaf_index, entry_id) \
    SELECT bound.leaf_index, bound.entry_id FROM row_list";

/// Adds leaves for entries, numbered from `first`. The primary key refuses a second sealer.
pub async fn insert_leaves(tx: &mut Tx, first: i64, ids: Vec<String>) -> Result<u64, DbError> {
    let numbers = (first..).take(ids.len()).collect();
    tx.execute_row_list(INSERT_LEAVES, vec![Column::int("leaf_index", numbers), Column::text("entry_id", ids)]).await
}

const INSERT_TILES: &str = "/* ledger::insert_tiles */ \
    INSERT INTO ledger_tiles (level, tile_index, hashes, root) \
    SELECT bound.level, bound.tile_index, bound.hashes, bound.root FROM row_list";

/// Full tiles, column by column.
#[derive(Debug, Default)]
pub struct TileColumns {
    /// Their levels.
    pub level: Vec<i64>,
    /// Their indexes on their levels.
    pub index: Vec<i64>,
    /// Their hashes.
    pub hashes: Vec<Vec<u8>>,
    /// The roots of the subtrees they span.
    pub root: Vec<Vec<u8>>,
}

/// Adds full tiles.
pub async fn insert_tiles(tx: &mut Tx, tiles: TileColumns) -> Result<u64, DbError> {
    let TileColumns { level, index, hashes, root } = tiles;
    let columns = vec![
        Column::int("level", level),
        Column::int("tile_index", index),
        Column::bytes("hashes", hashes),
        Column::bytes("root", root),
    ];
    tx.execute_row_list(INSERT_TILES, columns).await
}

const INSERT_CHECKPOINT: &str = "/* ledger::insert_checkpoint */ \
    INSERT INTO ledger_checkpoints (tree_size, root, note, sealed_at) VALUES ($1, $2, $3, $4)";

/// Adds a checkpoint.
pub async fn insert_checkpoint(tx: &mut Tx, row: CheckpointRow, at: Timestamp) -> Result<(), DbError> {
    tx.execute(INSERT_CHECKPOINT, args![row.tree_size, row.root, row.note, at]).await.map(|_| ())
}

/// Looks each row up by its key, however many dead rows the table has.
const DELETE_UNSEALED: &str = "/* ledger::delete_unsealed */ \
    DELETE FROM ledger_unsealed WHERE entry_id IN (SELECT bound.entry_id FROM short_row_list)";

/// Removes entries from the queue and returns how many were still in it.
pub async fn delete_unsealed(tx: &mut Tx, ids: Vec<String>) -> Result<u64, DbError> {
    tx.execute_row_list(DELETE_UNSEALED, vec![Column::text("entry_id", ids)]).await
}

const LATEST: &str = "/* ledger::latest_checkpoint */ \
    SELECT tree_size, root, note FROM ledger_checkpoints ORDER BY tree_size DESC LIMIT 1";

/// The checkpoint of the largest tree.
pub async fn latest_checkpoint(db: &Db) -> Result<Option<CheckpointRow>, DbError> {
    db.read("ledger.latest_checkpoint").fetch_optional(LATEST, args![]).await
}

const TILE: &str = "/* ledger::tile */ SELECT hashes FROM ledger_tiles WHERE level = $1 AND tile_index = $2";

/// The hashes of a full tile.
pub async fn tile(db: &Db, level: i64, index: i64) -> Result<Option<Vec<u8>>, DbError> {
    let row: Option<BytesRow> = db.read("ledger.tile").fetch_optional(TILE, args![level, index]).await?;
    Ok(row.map(|row| row.hashes))
}

const TILE_ROOTS: &str = "/* ledger::tile_roots */ \
    SELECT root AS hashes FROM ledger_tiles WHERE level = $1 AND tile_index >= $2 AND tile_index < $3 ORDER BY tile_index";

/// The roots of neighbouring full tiles: hashes of the level above.
pub async fn tile_roots(db: &Db, level: i64, from: i64, to: i64) -> Result<Vec<Vec<u8>>, DbError> {
    let rows: Vec<BytesRow> = db.read("ledger.tile_roots").fetch_all(TILE_ROOTS, args![level, from, to]).await?;
    Ok(rows.into_iter().map(|row| row.hashes).collect())
}

// The hash is stored once, with the entry: leaves have no copy that could differ from it.
const LEAF_HASHES: &str = "/* ledger::leaf_hashes */ \
    SELECT e.leaf_hash AS hashes FROM ledger_leaves l JOIN ledger_entries e ON e.id = l.entry_id \
    WHERE l.leaf_index >= $1 AND l.leaf_index < $2 ORDER BY l.leaf_index";

/// The hashes of neighbouring leaves.
pub async fn leaf_hashes(db: &Db, from: i64, to: i64) -> Result<Vec<Vec<u8>>, DbError> {
    let rows: Vec<BytesRow> = db.read("ledger.leaf_hashes").fetch_all(LEAF_HASHES, args![from, to]).await?;
    Ok(rows.into_iter().map(|row| row.hashes).collect())
}

// Left joins: the entry may not be sealed yet, and its opening may be erased.
const ENTRY: &str = "/* ledger::entry */ \
    SELECT e.type AS kind, e.body, l.leaf_index, o.body AS opening, o.client_id FROM ledger_entries e \
    LEFT JOIN ledger_leaves l ON l.entry_id = e.id LEFT JOIN ledger_openings o ON o.entry_id = e.id WHERE e.id = $1";

/// An entry with its opening and its leaf.
pub async fn entry(db: &Db, id: &str) -> Result<Option<LedgerEntryRow>, DbError> {
    db.read("ledger.entry").fetch_optional(ENTRY, args![id]).await
}
