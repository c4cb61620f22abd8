//! What is known of clients and ended tokens, as a snapshot that is never older than a second.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

use super::client::Client;
use crate::{
    domain::{
        Clock, Failure, Timestamp,
        ids::{AuthorityId, ClientId, TokenId},
    },
    store::{Db, DbError, changes, clients, tokens},
};

/// A gateway that has not been able to learn of changes for this long answers nobody. A security invariant (I3): the
/// watcher polls four times in it.
pub(super) const MAX_AGE: Duration = Duration::from_secs(1);

/// Clients and ended tokens at one moment.
#[derive(Debug, Default)]
pub struct Directory {
    /// The change number it was read at.
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

    /// The client whose certificates this authority issues to this subject.
    pub fn by_identity(&self, authority: &AuthorityId, subject: &str) -> Option<&Arc<Client>> {
        self.by_identity.get(authority)?.get(subject)
    }

    /// Whether the token was ended before its time.
    pub fn is_revoked(&self, token: &TokenId) -> bool {
        self.revoked_tokens.contains(token)
    }

    async fn read(db: &Db, clock: &dyn Clock) -> Result<Self, DbError> {
        // The number first: a change that comes between the reads is then read again, never missed.
        let mut directory = Self { change: changes::current(db).await?, ..Self::default() };
        for row in clients::list(db).await? {
            let client = Client::from_row(&row).map_err(|error| DbError::corrupt("directory", error.0))?;
            let client = Arc::new(client);
            directory.by_id.insert(client.id, client.clone());
            directory.by_identity.entry(client.authority).or_default().insert(client.subject.clone(), client);
        }
        for row in tokens::list_revoked(db, clock.now()).await? {
            let id = row.token_id.parse().map_err(|error| DbError::corrupt("directory", error))?;
            directory.revoked_tokens.insert(id);
        }
        Ok(directory)
    }
}

/// The snapshot in force, and when it was last known to be the newest.
#[derive(Debug)]
pub(super) struct Live {
    snapshot: ArcSwap<Directory>,
    confirmed_at: AtomicI64,
}

impl Live {
    pub(super) async fn open(db: &Db, clock: &dyn Clock) -> Result<Self, DbError> {
        let asked_at = clock.now();
        let directory = Directory::read(db, clock).await?;
        Ok(Self { snapshot: ArcSwap::from_pointee(directory), confirmed_at: AtomicI64::new(asked_at.micros()) })
    }

    pub(super) fn snapshot(&self) -> Arc<Directory> {
        self.snapshot.load_full()
    }

    /// Reads again what is known. It does not confirm: only the watcher does, once keys and trust are known too.
    pub(super) async fn reload(&self, db: &Db, clock: &dyn Clock) -> Result<(), DbError> {
        let directory = Directory::read(db, clock).await?;
        // Two reloads may overlap: the older must not replace the newer.
        self.snapshot.rcu(|present| {
            if present.change > directory.change { present.clone() } else { Arc::new(directory.clone_shallow()) }
        });
        Ok(())
    }

    pub(super) async fn catch_up(&self, db: &Db, clock: &dyn Clock) -> Result<bool, DbError> {
        let asked_at = clock.now();
        if changes::current(db).await? == self.snapshot.load().change {
            self.confirm(asked_at);
            return Ok(false);
        }
        self.reload(db, clock).await?;
        self.confirm(asked_at);
        Ok(true)
    }

    /// Notes that the snapshot was still the newest at this instant.
    pub(super) fn confirm(&self, asked_at: Timestamp) {
        // Stored, not the larger kept: a clock set back must not make the past look fresh.
        self.confirmed_at.store(asked_at.micros(), Ordering::SeqCst);
    }

    /// The snapshot, or a refusal when it may be out of date.
    pub(super) fn fresh(&self, now: Timestamp) -> Result<Arc<Directory>, Failure> {
        let confirmed = Timestamp::from_micros(self.confirmed_at.load(Ordering::SeqCst));
        // Either way: a confirmation from the future is of a clock that was wrong.
        let age = now.since(confirmed).max(confirmed.since(now));
        if age > MAX_AGE {
            return Err(Failure::unavailable(
                "state_unknown",
                format!("changes were last seen {} ms ago", age.as_millis()),
            ));
        }
        Ok(self.snapshot())
    }
}

impl Directory {
    /// The clients are shared, so this copies pointers only.
    fn clone_shallow(&self) -> Self {
        Self {
            change: self.change,
            by_id: self.by_id.clone(),
            by_identity: self.by_identity.clone(),
            revoked_tokens: self.revoked_tokens.clone(),
        }
    }
}
