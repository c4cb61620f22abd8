//! The directory: a snapshot of the clients and the revoked tokens that is never older than a second.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

use super::client::Client;
use crate::{
    domain::{
        Clock, Failure,
        ids::{AuthorityId, ClientId, TokenId},
    },
    store::{Db, DbError, changes, clients, tokens},
};

/// A gateway that could not learn of changes for this long answers no request. A security invariant (I3). The watcher polls
/// four times in this period.
pub(super) const MAX_AGE: Duration = Duration::from_secs(1);

/// The clients and the revoked tokens at one moment.
#[derive(Debug, Default)]
pub struct Directory {
    /// The change number at which it was read.
    pub change: i64,
    by_id: HashMap<ClientId, Arc<Client>>,
    by_identity: HashMap<AuthorityId, HashMap<String, Arc<Client>>>,
    revoked_tokens: HashSet<TokenId>,
}

impl Directory {
    /// The client with this id.
    pub fn client(&self, id: &ClientId) -> Option<&Arc<Client>> {
        self.by_id.get(id)
    }

    /// The client that has certificates of this authority for this subject.
    pub fn by_identity(&self, authority: &AuthorityId, subject: &str) -> Option<&Arc<Client>> {
        self.by_identity.get(authority)?.get(subject)
    }

    /// Whether the token was revoked.
    pub fn is_revoked(&self, token: &TokenId) -> bool {
        self.revoked_tokens.contains(token)
    }

    async fn read(db: &Db) -> Result<Self, DbError> {
        // The change number is read first: a change between the reads is then read again, never missed.
        let mut directory = Self { change: changes::current(db).await?, ..Self::default() };
        for row in clients::list(db).await? {
            let client = Client::from_row(&row).map_err(|error| DbError::corrupt("directory", error.0))?;
            let client = Arc::new(client);
            directory.by_id.insert(client.id, client.clone());
            directory.by_identity.entry(client.authority).or_default().insert(client.subject.clone(), client);
        }
        // Expired ones too, until they are deleted: a clock that is ahead for a while must not make one valid again (I10).
        for row in tokens::list_revoked(db).await? {
            let id = row.token_id.parse().map_err(|error| DbError::corrupt("directory", error))?;
            directory.revoked_tokens.insert(id);
        }
        Ok(directory)
    }
}

/// The current snapshot, and when it was last known to be up to date.
#[derive(Debug)]
pub(super) struct LiveDirectory {
    snapshot: ArcSwap<Directory>,
    /// Monotonic, in microseconds: a clock that is set makes no snapshot look fresh.
    confirmed_at: AtomicU64,
}

impl LiveDirectory {
    pub(super) async fn open(db: &Db, clock: &dyn Clock) -> Result<Self, DbError> {
        // Before the read: the confirmation must not be later than what it confirms.
        let read_at = clock.monotonic();
        let directory = Directory::read(db).await?;
        Ok(Self { snapshot: ArcSwap::from_pointee(directory), confirmed_at: AtomicU64::new(micros(read_at)) })
    }

    pub(super) fn snapshot(&self) -> Arc<Directory> {
        self.snapshot.load_full()
    }

    /// Reads a new snapshot. It does not confirm it: only the watcher does, once keys and trust are up to date too.
    pub(super) async fn reload(&self, db: &Db) -> Result<(), DbError> {
        let directory = Directory::read(db).await?;
        // Two reloads may overlap: an older snapshot must not replace a newer one.
        self.snapshot.rcu(|present| {
            // The closure runs again when another reload came first, so it must not consume the directory.
            if present.change > directory.change { present.clone() } else { Arc::new(directory.clone_shallow()) }
        });
        Ok(())
    }

    pub(super) async fn catch_up(&self, db: &Db, clock: &dyn Clock) -> Result<bool, DbError> {
        // Before the query, as in `open`.
        let read_at = clock.monotonic();
        if changes::current(db).await? == self.snapshot.load().change {
            self.confirm(read_at);
            return Ok(false);
        }
        self.reload(db).await?;
        self.confirm(read_at);
        Ok(true)
    }

    /// Reads a new snapshot if the change number has moved. Confirms nothing, as `reload`.
    pub(super) async fn follow(&self, db: &Db) -> Result<(), DbError> {
        if changes::current(db).await? == self.snapshot.load().change { Ok(()) } else { self.reload(db).await }
    }

    /// Records that the snapshot was up to date at this instant.
    pub(super) fn confirm(&self, read_at: Duration) {
        // The maximum: a slow poll must not undo what a faster one has confirmed.
        self.confirmed_at.fetch_max(micros(read_at), Ordering::SeqCst);
    }

    /// The snapshot, or an error if it may be out of date.
    pub(super) fn fresh(&self, clock: &dyn Clock) -> Result<Arc<Directory>, Failure> {
        let confirmed = Duration::from_micros(self.confirmed_at.load(Ordering::SeqCst));
        let age = clock.monotonic().saturating_sub(confirmed);
        if age > MAX_AGE {
            return Err(Failure::unavailable(
                "state_unknown",
                format!("changes were last seen {} ms ago", age.as_millis()),
            ));
        }
        Ok(self.snapshot())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Directory {
    /// Copies pointers only: the clients are shared.
    fn clone_shallow(&self) -> Self {
        Self {
            change: self.change,
            by_id: self.by_id.clone(),
            by_identity: self.by_identity.clone(),
            revoked_tokens: self.revoked_tokens.clone(),
        }
    }
}
