//! A memory with a bound: what was used lately is kept, what was not is forgotten.

use std::{
    borrow::Borrow,
    collections::HashMap,
    fmt::{self, Debug},
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Values by key, of at most a given weight together.
///
/// Two generations: what is used moves to the young one; when that is full it becomes the old one, and what was old and
/// not used since is gone. Nothing is sorted and nothing is stamped.
pub struct Recent<K, V> {
    /// Of one generation.
    limit: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    weight: usize,
}

impl<K, V> Debug for Recent<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is remembered may be a subject's.
        f.debug_struct("Recent").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Recent<K, V> {
    /// Remembers values of this weight together.
    pub fn new(limit: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new(), weight: 0 };
        Self { limit: limit / 2, generations: Mutex::new(generations) }
    }

    fn generations(&self) -> MutexGuard<'_, Generations<K, V>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered under a key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut generations = self.generations();
        if let Some((value, _)) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (key, (value, weight)) = generations.old.remove_entry(key)?;
        generations.put(key, value.clone(), weight, self.limit);
        Some(value)
    }

    /// Remembers a value in the place of whatever was under the key. One heavier than a generation is not remembered.
    pub fn put(&self, key: K, value: V, weight: usize) {
        let mut generations = self.generations();
        generations.remove(&key);
        if weight <= self.limit {
            generations.put(key, value, weight, self.limit);
        }
    }

    /// Forgets what is under a key.
    pub fn remove<Q: Eq + Hash + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.generations().remove(key);
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn put(&mut self, key: K, value: V, weight: usize, limit: usize) {
        if self.weight + weight > limit {
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
    use super::Recent;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let recent = Recent::new(8);
        for key in 0..100 {
            recent.put(key, key, 1);
            assert_eq!(recent.get(&0), Some(0), "used all the time");
            assert_eq!(recent.get(&key), Some(key), "just put");
        }
        assert_eq!((0..100).filter(|key| recent.get(key).is_some()).count().max(8), 8, "never more than the bound");
        assert_eq!(recent.get(&1), None);
    }

    #[test]
    fn what_is_replaced_or_removed_weighs_nothing() {
        let recent = Recent::new(8);
        for _ in 0..100 {
            recent.put("a", 1, 3);
            recent.put("b", 2, 1);
        }
        assert_eq!((recent.get(&"a"), recent.get(&"b")), (Some(1), Some(2)));
        recent.remove(&"a");
        assert_eq!(recent.get(&"a"), None);
        recent.put("c", 3, 5);
        assert_eq!(recent.get(&"c"), None, "heavier than a generation");
        recent.put("b", 4, 5);
        assert_eq!(recent.get(&"b"), None, "and the one before is not told in its place");
    }
}
