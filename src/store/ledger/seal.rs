//! The tree's tables: what waits, the leaves in their order, full tiles, checkpoints.

use crate::{
    domain::Timestamp,
    store::{Column, Db, DbError, Tx, args, record},
};

record! {
    /// A committed entry that is not in the tree yet.
    pub struct UnsealedRow {
        /// The entry.
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
    /// A checkpoint as it was signed.
    pub struct CheckpointRow {
        /// How many leaves.
        pub tree_size: i64,
        /// The root over them.
        pub root: Vec<u8>,
        /// The signed note.
        pub note: String,
    }
}

record! {
    /// How much waits for the sealer.
    pub struct BacklogRow {
        /// How many entries.
        pub waiting: i64,
        /// When the first of them was committed.
        pub oldest_at: Option<i64>,
    }
}

record! {
    struct BytesRow {
        hashes: Vec<u8>,
    }
}

record! {
    /// An entry's place in the tree, with its texts.
    pub struct PlacedRow {
        /// The entry's type.
        pub kind: String,
        /// The entry's canonical JSON.
        pub body: String,
        /// Its leaf in the tree; none until it is sealed.
        pub leaf_index: Option<i64>,
        /// The opening's canonical JSON; none once erased.
        pub opening: Option<String>,
        /// The bank it concerns.
        pub client_id: Option<String>,
    }
}

/// One row for all of them: the driver's price is by the row. From a place on: what was taken from the queue before it is gone
/// through by PostgreSQL until it is vacuumed.
const UNSEALED_IDS: &str = "/* ledger::unsealed_ids */ \
    SELECT string_agg(waiting.entry_id, ' ') AS ids \
    FROM (SELECT entry_id FROM ledger_unsealed WHERE entry_id > $2 ORDER BY entry_id LIMIT $1) waiting";

/// The ids of entries that wait to be sealed, about in the order they were made: those behind an id.
pub async fn unsealed_ids(db: &Db, behind: &str, limit: i64) -> Result<Vec<String>, DbError> {
    let row: IdsRow = db.read("ledger.unsealed").fetch_one(UNSEALED_IDS, args![limit, behind]).await?;
    let mut ids: Vec<_> = row.ids.as_deref().unwrap_or_default().split_terminator(' ').map(str::to_owned).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Each entry is looked up by its key: for a join PostgreSQL would read all entries there are beside the few that wait,
/// because nobody tells it in time how few they are.
const UNSEALED: &str = "/* ledger::unsealed */ \
    SELECT value->>'id' AS id, (SELECT e.body FROM ledger_entries e WHERE e.id = value->>'id') AS body, \
    (SELECT e.leaf_hash FROM ledger_entries e WHERE e.id = value->>'id') AS leaf_hash FROM json_few_rows($1)";

/// Entries that wait to be sealed, as they are stored; rows `{id}`.
pub async fn unsealed(db: &Db, rows: String) -> Result<Vec<UnsealedRow>, DbError> {
    db.read("ledger.unsealed").fetch_all(UNSEALED, args![rows]).await
}

const BACKLOG: &str = "/* ledger::backlog */ \
    SELECT (SELECT CAST(count(*) AS BIGINT) FROM ledger_unsealed) AS waiting, \
    (SELECT e.committed_at FROM ledger_entries e WHERE e.id = (SELECT MIN(u.entry_id) FROM ledger_unsealed u)) AS oldest_at";

/// How much waits to be sealed.
pub async fn backlog(db: &Db) -> Result<BacklogRow, DbError> {
    db.read("ledger.backlog").fetch_one(BACKLOG, args![]).await
}

const INSERT_LEAVES: &str = "/* ledger::insert_leaves */ \
    INSERT INTO ledger_leaves (leaf_index, entry_id) \
    SELECT column1, column2 FROM listed_rows";

/// Adds leaves for entries, from a number on. The primary key refuses a second sealer.
pub async fn insert_leaves(tx: &mut Tx, first: i64, ids: Vec<String>) -> Result<u64, DbError> {
    let numbers = (first..).take(ids.len()).collect();
    tx.execute_listed(INSERT_LEAVES, vec![Column::Int(numbers), Column::Text(ids)]).await
}

const INSERT_TILES: &str = "/* ledger::insert_tiles */ \
    INSERT INTO ledger_tiles (level, tile_index, hashes, root) \
    SELECT column1, column2, column3, column4 FROM listed_rows";

/// Full tiles, column by column.
#[derive(Debug, Default)]
pub struct TileColumns {
    /// The level.
    pub level: Vec<i64>,
    /// Where on its level.
    pub index: Vec<i64>,
    /// Its hashes.
    pub hashes: Vec<Vec<u8>>,
    /// The root over them.
    pub root: Vec<Vec<u8>>,
}

/// Adds full tiles.
pub async fn insert_tiles(tx: &mut Tx, tiles: TileColumns) -> Result<u64, DbError> {
    let TileColumns { level, index, hashes, root } = tiles;
    let columns = vec![Column::Int(level), Column::Int(index), Column::Bytes(hashes), Column::Bytes(root)];
    tx.execute_listed(INSERT_TILES, columns).await
}

const INSERT_CHECKPOINT: &str = "/* ledger::insert_checkpoint */ \
    INSERT INTO ledger_checkpoints (tree_size, root, note, sealed_at) VALUES ($1, $2, $3, $4)";

/// Adds a checkpoint.
pub async fn insert_checkpoint(tx: &mut Tx, row: CheckpointRow, at: Timestamp) -> Result<(), DbError> {
    tx.execute(INSERT_CHECKPOINT, args![row.tree_size, row.root, row.note, at]).await.map(|_| ())
}

/// By their keys, however many dead rows there are beside them.
const DELETE_UNSEALED: &str = "/* ledger::delete_unsealed */ \
    DELETE FROM ledger_unsealed WHERE entry_id IN (SELECT column1 FROM listed_few)";

/// Takes entries from the queue. Tells how many were still there.
pub async fn delete_unsealed(tx: &mut Tx, ids: Vec<String>) -> Result<u64, DbError> {
    tx.execute_listed(DELETE_UNSEALED, vec![Column::Text(ids)]).await
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

const LEAF_HASHES: &str = "/* ledger::leaf_hashes */ \
    SELECT e.leaf_hash AS hashes FROM ledger_leaves l JOIN ledger_entries e ON e.id = l.entry_id \
    WHERE l.leaf_index >= $1 AND l.leaf_index < $2 ORDER BY l.leaf_index";

/// The hashes of neighbouring leaves.
pub async fn leaf_hashes(db: &Db, from: i64, to: i64) -> Result<Vec<Vec<u8>>, DbError> {
    let rows: Vec<BytesRow> = db.read("ledger.leaf_hashes").fetch_all(LEAF_HASHES, args![from, to]).await?;
    Ok(rows.into_iter().map(|row| row.hashes).collect())
}

const PLACED: &str = "/* ledger::placed */ \
    SELECT e.type AS kind, e.body, l.leaf_index, o.body AS opening, o.client_id FROM ledger_entries e \
    LEFT JOIN ledger_leaves l ON l.entry_id = e.id LEFT JOIN ledger_openings o ON o.entry_id = e.id WHERE e.id = $1";

/// An entry with its place in the tree.
pub async fn placed(db: &Db, id: &str) -> Result<Option<PlacedRow>, DbError> {
    db.read("ledger.placed").fetch_optional(PLACED, args![id]).await
}
