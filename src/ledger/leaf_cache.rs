//! The leaves of entries that this process has committed and that nobody has sealed yet.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    domain::{BoundedCache, Timestamp},
    merkle::{Hash, leaf_hash},
    store::{Db, DbError, ledger::seal as table},
};

/// How many leaves are remembered: several seconds of full load.
const REMEMBERED: usize = 128 * 1024;

/// How many entries are read from the tables at a time.
const TEXTS: usize = 128;
/// How often the whole queue is looked at, and not only what is new in it.
const WHOLE: Duration = Duration::from_secs(1);

/// Where a sealer is in the queue.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The last entry it took.
    last: String,
    /// When it looked at the whole of it.
    looked: Option<Timestamp>,
}

/// Handed by a recorder to the sealer beside it, which then need neither read such an entry nor hash it again. Shared by its
/// clones. Only ever a shortcut: what is not remembered is read from the tables.
///
/// It is the better witness of the two, too: it is what the entry hashed to when it was made, whatever the tables say since.
#[derive(Debug, Clone)]
pub struct LeafCache(Arc<BoundedCache<String, Hash>>);

impl Default for LeafCache {
    fn default() -> Self {
        Self(Arc::new(BoundedCache::new(REMEMBERED)))
    }
}

impl LeafCache {
    /// Remembers the leaf of an entry whose commit was acknowledged.
    pub(super) fn put(&self, id: &str, leaf: Hash) {
        self.0.insert(id.to_owned(), leaf, 1);
    }

    /// Forgets entries that were sealed.
    pub(super) fn forget(&self, ids: &[String]) {
        for id in ids {
            self.0.remove(id);
        }
    }

    /// What waits to be sealed, at most so much of it: behind what was taken last, and from the beginning when there is
    /// nothing, or it is time. An entry that was made before another may be committed after it.
    pub(super) async fn waiting(
        &self,
        db: &Db,
        place: &mut Place,
        (now, limit): (Timestamp, i64),
    ) -> Result<Vec<(String, Hash)>, DbError> {
        let mut waiting = Vec::new();
        if place.looked.is_some_and(|at| now.since(at) < WHOLE) {
            waiting = self.behind(db, &place.last, limit).await?;
        }
        if waiting.is_empty() {
            place.looked = Some(now);
            waiting = self.behind(db, "", limit).await?;
        }
        if let Some((id, _)) = waiting.last() {
            place.last.clone_from(id);
        }
        Ok(waiting)
    }

    /// What waits behind an id with its leaves: remembered, or hashed again from the tables.
    async fn behind(&self, db: &Db, id: &str, limit: i64) -> Result<Vec<(String, Hash)>, DbError> {
        let ids = table::unsealed_ids(db, id, limit).await?;
        let waiting: Vec<_> = ids.into_iter().map(|id| (self.0.get(&id), id)).collect();
        let unknown: Vec<_> =
            waiting.iter().filter(|(leaf, _)| leaf.is_none()).map(|(_, id)| json!({ "id": id })).collect();
        let read = if unknown.is_empty() { HashMap::new() } else { from_tables(db, unknown).await? };
        let leaf = |(leaf, id): (Option<Hash>, String)| Some((leaf.or_else(|| read.get(&id).copied())?, id));
        Ok(waiting.into_iter().filter_map(leaf).map(|(leaf, id)| (id, leaf)).collect())
    }
}

/// The leaves of stored entries that are still what they were made as. After a restart that is all of them: not all of their
/// texts are held at once.
async fn from_tables(db: &Db, rows: Vec<Value>) -> Result<HashMap<String, Hash>, DbError> {
    let mut leaves = HashMap::with_capacity(rows.len());
    for part in rows.chunks(TEXTS) {
        read_leaves(db, part, &mut leaves).await?;
    }
    Ok(leaves)
}

async fn read_leaves(db: &Db, rows: &[Value], leaves: &mut HashMap<String, Hash>) -> Result<(), DbError> {
    for row in table::unsealed(db, Value::from(rows).to_string()).await? {
        let leaf = row.body.as_ref().map(|body| leaf_hash(body.as_bytes()));
        if let Some(leaf) = leaf.filter(|leaf| row.leaf_hash.as_deref() == Some(leaf)) {
            leaves.insert(row.id, leaf);
        } else {
            // Signing it would make a forgery genuine. It stays where it is, and `verify` names it.
            tracing::error!(entry.id = %row.id, "an entry was changed before it was sealed: it is not sealed");
        }
    }
    Ok(())
}
