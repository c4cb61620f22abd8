//! A cache with a bounded weight that evicts the entries that were not used recently.

use std::{
    borrow::Borrow,
    collections::HashMap,
    fmt::{self, Debug},
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Values by key, with a limit on their total weight.
///
/// Entries are in two generations. A used entry moves to the young generation; when that is full, it becomes the old
/// one and the previous old one is dropped. So eviction needs neither sorting nor timestamps.
pub struct BoundedCache<K, V> {
    /// The largest weight of one generation.
    limit: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    weight: usize,
}

impl<K, V> Debug for BoundedCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not derived: the values may be a subject's data.
        f.debug_struct("BoundedCache").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl<K: Eq + Hash + Clone, V: Clone> BoundedCache<K, V> {
    /// Creates a cache for values of this total weight.
    pub fn new(limit: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new(), weight: 0 };
        // Half, because an old and a young generation are held together.
        Self { limit: limit / 2, generations: Mutex::new(generations) }
    }

    fn generations(&self) -> MutexGuard<'_, Generations<K, V>> {
        // After a panic under the lock the maps are still usable; at worst the weight is too high.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the value of a key and marks it as used.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut generations = self.generations();
        if let Some((value, _)) = generations.young.get(key) {
            return Some(value.clone());
        }
        // Moved and not copied, so that an entry is held once.
        let (key, (value, weight)) = generations.old.remove_entry(key)?;
        generations.insert(key, value.clone(), weight, self.limit);
        Some(value)
    }

    /// Replaces the value of a key. A value heavier than a generation is not stored.
    pub fn insert(&self, key: K, value: V, weight: usize) {
        let mut generations = self.generations();
        // Removed even if the new value is too heavy: the former value of the key must not be found any more.
        generations.remove(&key);
        if weight <= self.limit {
            generations.insert(key, value, weight, self.limit);
        }
    }

    /// Removes a key.
    pub fn remove<Q: Eq + Hash + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.generations().remove(key);
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn insert(&mut self, key: K, value: V, weight: usize, limit: usize) {
        if self.weight + weight > limit {
            // The new entry goes into an empty young generation, so one that is used right now is never dropped.
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += weight;
        self.young.insert(key, (value, weight));
    }

    fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.old.remove(key);
        if let Some((_, weight)) = self.young.remove(key) {
            self.weight -= weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BoundedCache;

    #[test]
    fn used_entries_stay_and_unused_ones_are_evicted() {
        let cache = BoundedCache::new(8);
        for key in 0..100 {
            cache.insert(key, key, 1);
            assert_eq!(cache.get(&0), Some(0), "used in every round");
            assert_eq!(cache.get(&key), Some(key), "just inserted");
        }
        assert_eq!((0..100).filter(|key| cache.get(key).is_some()).count().max(8), 8, "never more than the limit");
        assert_eq!(cache.get(&1), None);
    }

    #[test]
    fn replaced_and_removed_entries_have_no_weight() {
        let cache = BoundedCache::new(8);
        for _ in 0..100 {
            cache.insert("a", 1, 3);
            cache.insert("b", 2, 1);
        }
        assert_eq!((cache.get(&"a"), cache.get(&"b")), (Some(1), Some(2)));
        cache.remove(&"a");
        assert_eq!(cache.get(&"a"), None);
        cache.insert("c", 3, 5);
        assert_eq!(cache.get(&"c"), None, "heavier than a generation");
        cache.insert("b", 4, 5);
        assert_eq!(cache.get(&"b"), None, "and the previous value is not returned instead");
    }
}
