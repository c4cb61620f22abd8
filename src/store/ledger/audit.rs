//! All tables of the ledger, page by page, for a verification that recomputes everything.

use crate::store::{Db, DbError, args, record};

use super::seal::CheckpointRow;

record! {
    /// A leaf with its entry and opening, as far as they exist.
    pub struct LeafRow {
        pub leaf_index: i64,
        pub entry_id: String,
        /// None when the entry is missing.
        pub kind: Option<String>,
        /// The entry's canonical JSON.
        pub body: Option<String>,
        /// The leaf hash in the entry's row.
        pub leaf_hash: Option<Vec<u8>>,
        /// The opening's canonical JSON; none once erased.
        pub opening: Option<String>,
        /// The bank in the opening's row.
        pub client_id: Option<String>,
        /// The consent in the opening's row.
        pub consent_id: Option<String>,
    }
}

record! {
    /// The size of the tree according to the tables, as of one instant.
    pub struct ExtentRow {
        /// Number of leaves.
        pub leaves: i64,
        /// Number of full tiles.
        pub tiles: i64,
        /// Size of the largest checkpoint.
        pub sealed: i64,
    }
}

record! {
    struct TextRow {
        text: String,
    }
}

record! {
    /// A full tile as it is stored.
    pub struct TileRow {
        pub hashes: Vec<u8>,
        pub root: Vec<u8>,
    }
}

// One statement, and so one snapshot: counts read one after the other would differ beside a running gateway.
const EXTENT: &str = "/* ledger::extent */ SELECT \
    (SELECT CAST(count(*) AS BIGINT) FROM ledger_leaves) AS leaves, \
    (SELECT CAST(count(*) AS BIGINT) FROM ledger_tiles) AS tiles, \
    (SELECT COALESCE(MAX(tree_size), 0) FROM ledger_checkpoints) AS sealed";

/// The size of the tree.
pub async fn extent(db: &Db) -> Result<ExtentRow, DbError> {
    db.read("ledger.extent").fetch_one(EXTENT, args![]).await
}

const ENDS: &str = "/* ledger::ends */ SELECT \
    (SELECT COALESCE(MAX(leaf_index) + 1, 0) FROM ledger_leaves) AS leaves, CAST(0 AS BIGINT) AS tiles, \
    (SELECT COALESCE(MAX(tree_size), 0) FROM ledger_checkpoints) AS sealed";

/// The size of the tree by its last leaf, without counting: no tiles, and leaves that are missing are not noticed.
pub async fn ends(db: &Db) -> Result<ExtentRow, DbError> {
    db.read("ledger.ends").fetch_one(ENDS, args![]).await
}

// Left joins: a leaf whose entry or opening was removed has to be listed, because that is what is looked for.
const LEAVES: &str = "/* ledger::leaves */ \
    SELECT l.leaf_index, l.entry_id, e.type AS kind, e.body, e.leaf_hash, o.body AS opening, o.client_id, o.consent_id \
    FROM ledger_leaves l LEFT JOIN ledger_entries e ON e.id = l.entry_id \
    LEFT JOIN ledger_openings o ON o.entry_id = l.entry_id WHERE l.leaf_index >= $1 ORDER BY l.leaf_index LIMIT $2";

/// A page of leaves.
pub async fn leaves(db: &Db, from: i64, limit: i64) -> Result<Vec<LeafRow>, DbError> {
    db.read("ledger.leaves").fetch_all(LEAVES, args![from, limit]).await
}

// One statement for both kinds: -1 marks an entry that is missing from the sealer's queue too.
const OUTSIDE_TREE: &str = "/* ledger::outside_tree */ \
    SELECT CAST(CASE WHEN u.entry_id IS NULL THEN -1 ELSE 0 END AS BIGINT) AS leaf_index, e.id AS entry_id, e.type AS kind, e.body, \
    e.leaf_hash, o.body AS opening, o.client_id, o.consent_id FROM ledger_entries e \
    LEFT JOIN ledger_leaves l ON l.entry_id = e.id LEFT JOIN ledger_unsealed u ON u.entry_id = e.id \
    LEFT JOIN ledger_openings o ON o.entry_id = e.id WHERE l.leaf_index IS NULL AND e.id > $1 AND e.id < $2 ORDER BY e.id LIMIT $3";

/// A page of entries without a leaf, between two ids; `leaf_index` is 0 for an entry in the sealer's queue and -1 for one that
/// is not, which no gateway leaves behind.
pub async fn outside_tree_between(db: &Db, after: &str, before: &str, limit: i64) -> Result<Vec<LeafRow>, DbError> {
    db.read("ledger.outside_tree").fetch_all(OUTSIDE_TREE, args![after, before, limit]).await
}

/// A page of all entries without a leaf, after an id.
pub async fn outside_tree(db: &Db, after: &str, limit: i64) -> Result<Vec<LeafRow>, DbError> {
    // Every id begins with a prefix that sorts before it, in every collation.
    outside_tree_between(db, after, "z", limit).await
}

// A hundred are enough to show where the tables were changed.
const STRAY: &str = "/* ledger::stray */ \
    SELECT 'opening ' || o.entry_id AS text FROM ledger_openings o LEFT JOIN ledger_entries e ON e.id = o.entry_id WHERE e.id IS NULL \
    UNION ALL SELECT 'queued ' || u.entry_id AS text FROM ledger_unsealed u LEFT JOIN ledger_entries e ON e.id = u.entry_id \
        LEFT JOIN ledger_leaves l ON l.entry_id = u.entry_id WHERE e.id IS NULL OR l.entry_id IS NOT NULL \
    ORDER BY 1 LIMIT 100";

/// The first hundred openings without an entry and queued rows whose entry is missing or already in the tree.
pub async fn stray(db: &Db) -> Result<Vec<String>, DbError> {
    let rows: Vec<TextRow> = db.read("ledger.stray").fetch_all(STRAY, args![]).await?;
    Ok(rows.into_iter().map(|row| row.text).collect())
}

const CHECKPOINTS: &str = "/* ledger::checkpoints */ \
    SELECT tree_size, root, note FROM ledger_checkpoints WHERE tree_size > $1 ORDER BY tree_size LIMIT $2";

/// A page of checkpoints, after a size.
pub async fn checkpoints(db: &Db, after: i64, limit: i64) -> Result<Vec<CheckpointRow>, DbError> {
    db.read("ledger.checkpoints").fetch_all(CHECKPOINTS, args![after, limit]).await
}

const BODIES: &str = "/* ledger::bodies */ \
    SELECT e.body AS text FROM ledger_leaves l JOIN ledger_entries e ON e.id = l.entry_id \
    WHERE l.leaf_index >= $1 AND l.leaf_index < $2 ORDER BY l.leaf_index";

/// The canonical JSON of the entries of consecutive leaves.
pub async fn bodies(db: &Db, from: i64, to: i64) -> Result<Vec<String>, DbError> {
    let rows: Vec<TextRow> = db.read("ledger.bodies").fetch_all(BODIES, args![from, to]).await?;
    Ok(rows.into_iter().map(|row| row.text).collect())
}

const TILE: &str = "/* ledger::tile_row */ SELECT hashes, root FROM ledger_tiles WHERE level = $1 AND tile_index = $2";

/// A full tile as it is stored.
pub async fn tile(db: &Db, level: i64, index: i64) -> Result<Option<TileRow>, DbError> {
    db.read("ledger.tile_row").fetch_optional(TILE, args![level, index]).await
}
