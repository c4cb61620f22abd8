//! Step 4 from memory: earlier readings, by the versions they rest on.
//!
//! The cache decides nothing. The append compares every version that a cached reading rests on, as it does for an answer
//! that was just read: the consent's version, the client's epoch, the version of each subject, and the number of the
//! publication, which every publication, every correction and every accepted import of settlements raises. What changes
//! with time alone is not cached beyond its time: a grade's last day is read again each day, and the consent's expiry is
//! checked at every use. So a reading may be cached exactly when everything in it is covered by one of these versions and
//! was read after them.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use super::reading::{CachedReading, Reading, RequestedPeriod};
use crate::{
    consent::ConsentPermit,
    domain::{
        BoundedCache, Day,
        ids::ConsentId,
        permission::{Permission, Purpose},
    },
};

/// The most bytes of cached members.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// The bytes of an entry beside its members.
const OVERHEAD: usize = 512;

/// A reading under a version of a consent, on a day.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CacheKey {
    consent: ConsentId,
    version: i64,
    operation: &'static str,
    period: RequestedPeriod,
    permissions: Vec<Permission>,
    purpose: Purpose,
    day: Day,
}

impl CacheKey {
    pub(super) fn of<R: Reading>(permit: &ConsentPermit, reading: R) -> Self {
        Self {
            consent: permit.id(),
            version: permit.consent().version,
            operation: R::OPERATION,
            period: reading.period(),
            permissions: permit.permissions().to_vec(),
            purpose: permit.purpose(),
            day: permit.at().day(),
        }
    }
}

/// The readings that this process made or used recently.
#[derive(Debug)]
pub(super) struct ReadingCache {
    readings: BoundedCache<CacheKey, Arc<CachedReading>>,
    /// The highest publication seen: what rests on a lower one is not worth an append.
    publication: AtomicI64,
}

impl ReadingCache {
    pub(super) fn new() -> Self {
        Self { readings: BoundedCache::new(MAX_BYTES), publication: AtomicI64::new(0) }
    }

    pub(super) fn get(&self, key: &CacheKey) -> Option<Arc<CachedReading>> {
        // Relaxed: a stale value costs a refused append, never a wrong answer.
        self.readings.get(key).filter(|reading| reading.publication >= self.publication.load(Ordering::Relaxed))
    }

    pub(super) fn put(&self, key: CacheKey, reading: &Arc<CachedReading>) {
        // A maximum: a slower reading must not lower it.
        self.publication.fetch_max(reading.publication, Ordering::Relaxed);
        self.readings.insert(key, reading.clone(), reading.members.len() + OVERHEAD);
    }

    pub(super) fn remove(&self, key: &CacheKey) {
        self.readings.remove(key);
    }
}
