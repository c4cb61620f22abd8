//! A fresh, migrated store for one test.

use std::sync::Arc;

use medcredit::{
    domain::{Clock, ManualClock, SeededEntropy, SystemClock, Timestamp},
    store::{Db, Env, migrations},
};

use super::cluster::{Cluster, cluster};

/// When every test begins: the morning of 2026-04-01 in the city.
pub const START: &str = "2026-04-01T01:00:00Z";

/// A store of its local_ca, with a clock that stands still and randomness that repeats.
#[derive(Debug)]
pub struct TestStore {
    /// The open store.
    pub db: Db,
    /// Stands at [`START`] until it is advanced.
    pub clock: Arc<ManualClock>,
    /// Yields the same bytes in every run.
    pub entropy: Arc<SeededEntropy>,
    place: Place,
    url: String,
}

/// Where the store is.
#[derive(Debug)]
pub enum Place {
    /// A directory with the two files, removed with the test.
    Sqlite(tempfile::TempDir),
    /// A database of the private cluster.
    Postgres {
        /// Its name.
        database: String,
    },
}

impl TestStore {
    /// On SQLite.
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let db = Db::open_sqlite(directory.path()).await.expect("the store opens");
        let store = Self::at(db, Place::Sqlite(directory));
        migrations::migrate(&store.db, &*store.clock).await.expect("the store migrates");
        store
    }

    /// On PostgreSQL.
    pub async fn postgres() -> Self {
        Self::of(cluster()).await
    }

    /// On a PostgreSQL cluster of the test's own.
    pub async fn of(cluster: &Cluster) -> Self {
        let database = cluster.migrated_database().await;
        let url = cluster.url(&database);
        let db = Db::open_postgres(&url, 8).await.expect("the store opens");
        Self { url, ..Self::at(db, Place::Postgres { database }) }
    }

    fn at(db: Db, place: Place) -> Self {
        let start: Timestamp = START.parse().expect("a time");
        Self { db, clock: ManualClock::new(start), entropy: SeededEntropy::new(1), place, url: String::new() }
    }

    /// The same in the present time: for what other processes, whose clocks are the system's, have a part in.
    pub fn today(mut self) -> Self {
        self.clock = ManualClock::new(SystemClock.now());
        self
    }

    /// The same database opened once more, as another process would.
    pub async fn reopen(&self) -> Db {
        match &self.place {
            Place::Sqlite(directory) => Db::open_sqlite(directory.path()).await,
            Place::Postgres { .. } => Db::open_postgres(&self.url, 8).await,
        }
        .expect("the store opens again")
    }

    /// What a room works with.
    pub fn env(&self) -> Env {
        Env::new(self.db.clone(), self.clock.clone(), self.entropy.clone())
    }

    /// Its PostgreSQL URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the store is, for whoever goes around the seam.
    pub const fn place(&self) -> &Place {
        &self.place
    }
}
