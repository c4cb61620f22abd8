//! A cache of the leaves of entries that this process has committed and that are not sealed yet.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    domain::{BoundedCache, Timestamp},
    merkle::{Hash, leaf_hash},
    store::{Db, DbError, ledger::seal as table},
};

/// How many leaves are cached: several seconds of full load.
const CAPACITY: usize = 128 * 1024;

/// How many entries are read from the tables at a time.
const PAGE: usize = 128;
/// How often the whole queue is read, and not only its new part.
const FULL_SCAN: Duration = Duration::from_secs(1);

/// A sealer's position in the queue.
#[derive(Debug, Default)]
pub(super) struct QueuePosition {
    /// The last entry it took.
    last: String,
    /// When it last read the queue from the beginning.
    scanned_at: Option<Timestamp>,
}

/// Filled by a recorder and read by the sealer of the same process, which then need neither read such an entry nor hash it
/// again. Clones share their contents. Only a shortcut: what is not cached is read from the tables.
///
/// A cached leaf is also the stronger evidence: it is the hash of the entry as it was made, even if the tables were changed.
#[derive(Debug, Clone)]
pub struct LeafCache(Arc<BoundedCache<String, Hash>>);

impl Default for LeafCache {
    fn default() -> Self {
        Self(Arc::new(BoundedCache::new(CAPACITY)))
    }
}

impl LeafCache {
    /// Caches the leaf of an entry whose commit was acknowledged.
    pub(super) fn put(&self, id: &str, leaf: Hash) {
        // Each leaf weighs one, so the capacity is a number of leaves.
        self.0.insert(id.to_owned(), leaf, 1);
    }

    /// Removes entries that were sealed.
    pub(super) fn remove(&self, ids: &[String]) {
        for id in ids {
            self.0.remove(id);
        }
    }

    /// At most `limit` entries that wait to be sealed, with their leaves: those after the last one taken, or from the
    /// beginning of the queue when there are none or a full scan is due. An entry may be committed after another with a
    /// later id.
    pub(super) async fn waiting(
        &self,
        db: &Db,
        position: &mut QueuePosition,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<(String, Hash)>, DbError> {
        let mut waiting = Vec::new();
        // Ids begin with the time of creation and entries are committed later: without full scans, an entry slow to
        // commit would be passed over. Scanning once a second bounds both its delay and the cost.
        if position.scanned_at.is_some_and(|at| now.since(at) < FULL_SCAN) {
            waiting = self.after(db, &position.last, limit).await?;
        }
        // Nothing new: the early entries are looked for now, and need not wait for the next full scan.
        if waiting.is_empty() {
            position.scanned_at = Some(now);
            waiting = self.after(db, "", limit).await?;
        }
        // A full scan that found more than the limit moves this back; the next call then continues from there.
        if let Some((id, _)) = waiting.last() {
            position.last.clone_from(id);
        }
        Ok(waiting)
    }

    /// Entries in the queue after an id, with their leaves: from the cache, or hashed again from the tables.
    async fn after(&self, db: &Db, id: &str, limit: i64) -> Result<Vec<(String, Hash)>, DbError> {
        let ids = table::unsealed_ids(db, id, limit).await?;
        let waiting: Vec<_> = ids.into_iter().map(|id| (self.0.get(&id), id)).collect();
        let uncached: Vec<_> =
            waiting.iter().filter(|(leaf, _)| leaf.is_none()).map(|(_, id)| json!({ "id": id })).collect();
        let read = if uncached.is_empty() { HashMap::new() } else { from_tables(db, uncached).await? };
        // An entry without a leaf was changed: `read_leaves` has logged it, and it is left out.
        let leaf = |(leaf, id): (Option<Hash>, String)| Some((leaf.or_else(|| read.get(&id).copied())?, id));
        Ok(waiting.into_iter().filter_map(leaf).map(|(leaf, id)| (id, leaf)).collect())
    }
}

/// The leaves of stored entries whose texts are unchanged. Read in pages: after a restart the whole queue is uncached, and
/// its texts need not all be in memory.
async fn from_tables(db: &Db, rows: Vec<Value>) -> Result<HashMap<String, Hash>, DbError> {
    let mut leaves = HashMap::with_capacity(rows.len());
    for part in rows.chunks(PAGE) {
        read_leaves(db, part, &mut leaves).await?;
    }
    Ok(leaves)
}

async fn read_leaves(db: &Db, rows: &[Value], leaves: &mut HashMap<String, Hash>) -> Result<(), DbError> {
    for row in table::unsealed(db, Value::from(rows).to_string()).await? {
        let leaf = row.body.as_ref().map(|body| leaf_hash(body.as_bytes()));
        // Body and hash are both in the row and may both have been changed, which this cannot see. It finds a change of
        // one.
        if let Some(leaf) = leaf.filter(|leaf| row.leaf_hash.as_deref() == Some(leaf)) {
            leaves.insert(row.id, leaf);
        } else {
            // Sealing it would make a forgery genuine. It remains in the queue, and `verify` reports it.
            tracing::error!(entry.id = %row.id, "an entry was changed before it was sealed: it is not sealed");
        }
    }
    Ok(())
}
