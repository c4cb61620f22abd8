//! Step 4 from memory: what was read before, by the versions it rests on.
//!
//! What is remembered decides nothing. Every head it rests on is compared in the append like that of an answer just read:
//! the consent's version and the client's epoch, the version of each subject, and the number of the publication, which
//! every publication, every correction and every accepted import of settlements raises. What passes with time alone (a
//! grade's last day) is read anew each day; expiry of the consent is judged at every use. So a reading may be remembered
//! exactly when everything in it is under one of these versions, and was read after them.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use super::{Content, Reading, render::Members};
use crate::{
    consent::ConsentPermit,
    domain::{
        BoundedCache, Day, Failure, Month,
        ids::ConsentId,
        permission::{Permission, Purpose},
    },
};

/// How much is remembered: the bytes of the answers' members.
const REMEMBERED_BYTES: usize = 64 * 1024 * 1024;
/// What an entry costs beside its members.
const OVERHEAD: usize = 512;

/// A reading of a consent on a day.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CacheKey {
    consent: ConsentId,
    version: i64,
    reading: Reading,
    permissions: Vec<Permission>,
    purpose: Purpose,
    day: Day,
}

impl CacheKey {
    pub(super) fn of(permit: &ConsentPermit, reading: Reading) -> Self {
        Self {
            consent: permit.id(),
            version: permit.consent().version,
            reading,
            permissions: permit.permissions().to_vec(),
            purpose: permit.purpose(),
            day: permit.at().day(),
        }
    }
}

/// What was read, its members written out, with the versions it rests on.
#[derive(Debug)]
pub(super) struct CachedReading {
    pub(super) members: Members,
    pub(super) subjects: Vec<(String, i64)>,
    pub(super) codes: Vec<String>,
    pub(super) publication: i64,
    pub(super) period: Option<(Month, Month)>,
    pub(super) what: Vec<Permission>,
}

impl CachedReading {
    pub(super) fn of(content: Content) -> Result<Self, Failure> {
        Ok(Self {
            members: Members::of(&content.body)?,
            codes: content.subjects.iter().map(|(code, _)| code.clone()).collect(),
            subjects: content.subjects,
            publication: content.publication,
            period: content.period,
            what: content.what,
        })
    }
}

/// What was read lately.
#[derive(Debug)]
pub(super) struct ReadingCache {
    known: BoundedCache<CacheKey, Arc<CachedReading>>,
    /// The highest publication seen: what rests on a lower one is not worth an append.
    publication: AtomicI64,
}

impl ReadingCache {
    pub(super) fn new() -> Self {
        Self { known: BoundedCache::new(REMEMBERED_BYTES), publication: AtomicI64::new(0) }
    }

    pub(super) fn recall(&self, place: &CacheKey) -> Option<Arc<CachedReading>> {
        self.known.get(place).filter(|known| known.publication >= self.publication.load(Ordering::Relaxed))
    }

    pub(super) fn keep(&self, place: CacheKey, known: &Arc<CachedReading>) {
        self.publication.fetch_max(known.publication, Ordering::Relaxed);
        self.known.insert(place, known.clone(), known.members.len() + OVERHEAD);
    }

    pub(super) fn forget(&self, place: &CacheKey) {
        self.known.remove(place);
    }
}
