//! A fresh, migrated store for one test.

use std::{
    ffi::OsString,
    path::Path,
    sync::{Arc, OnceLock},
};

use medcredit::{
    domain::{Clock, ManualClock, SeededEntropy, SystemClock, Timestamp},
    store::{Db, Env, migrations},
};

use super::cluster::{Cluster, cluster, url_at};

/// When every test begins: the morning of 2026-04-01 in the city.
pub const START: &str = "2026-04-01T01:00:00Z";

/// A store of a test's own, with a manual clock and repeatable randomness.
#[derive(Debug)]
pub struct TestStore {
    /// The open store.
    pub db: Db,
    /// Shows [`START`] until it is advanced.
    pub clock: Arc<ManualClock>,
    /// Yields the same bytes in every run.
    pub entropy: Arc<SeededEntropy>,
    location: StoreLocation,
    url: String,
}

/// The location of a store.
#[derive(Debug)]
pub enum StoreLocation {
    /// A directory with the two files, removed with the test.
    Sqlite(tempfile::TempDir),
    /// A database of the private cluster.
    Postgres {
        /// Its name.
        database: String,
    },
}

/// A directory that no other user of the machine can reach: the gateway refuses others for its data and secrets.
pub fn private_directory() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let permissions = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(permissions).tempdir().expect("a temporary directory")
}

/// The files of an empty, migrated store on SQLite, made once: every migration is a transaction that is synced.
fn migrated_files() -> &'static [(OsString, Vec<u8>)] {
    static FILES: OnceLock<Vec<(OsString, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let directory = private_directory();
        let start: Timestamp = START.parse().expect("a time");
        // On a thread of its own, because the first caller is already inside a runtime.
        std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                super::block_on(async {
                    let db = Db::open_sqlite(directory.path()).await.expect("the store opens");
                    migrations::migrate(&db, &*ManualClock::new(start)).await.expect("the store migrates");
                    // The last connection brings everything into the files themselves.
                    db.close().await;
                });
            });
            made.join().expect("the files are made");
        });
        let files = std::fs::read_dir(directory.path()).expect("the directory is listed");
        let files: Vec<_> = files.map(|entry| entry.expect("an entry").file_name()).collect();
        assert_eq!(files.len(), 2, "nothing beside the two files: {files:?}");
        let read = |name: OsString| {
            let bytes = std::fs::read(directory.path().join(&name)).expect("the file is read");
            (name, bytes)
        };
        files.into_iter().map(read).collect()
    })
}

impl TestStore {
    /// On SQLite.
    pub async fn sqlite() -> Self {
        let directory = private_directory();
        for (name, bytes) in migrated_files() {
            std::fs::write(directory.path().join(name), bytes).expect("the file is written");
        }
        let db = Db::open_sqlite(directory.path()).await.expect("the store opens");
        Self::at(db, StoreLocation::Sqlite(directory))
    }

    /// On PostgreSQL.
    pub async fn postgres() -> Self {
        Self::on_cluster(cluster()).await
    }

    /// On a PostgreSQL cluster of the test's own.
    pub async fn on_cluster(cluster: &Cluster) -> Self {
        Self::on_cluster_through(cluster, cluster.directory()).await
    }

    /// The same, with connections through a proxy whose socket is in another directory.
    pub async fn on_cluster_through(cluster: &Cluster, proxy: &Path) -> Self {
        let database = cluster.migrated_database().await;
        let url = url_at(proxy, "medcredit", &database);
        // Eight of the cluster's 300 connections, because many tests run at a time.
        let db = Db::open_postgres(&url, 8).await.expect("the store opens");
        let store = Self { url, ..Self::at(db, StoreLocation::Postgres { database }) };
        store.with_server_clock()
    }

    fn at(db: Db, location: StoreLocation) -> Self {
        let start: Timestamp = START.parse().expect("a time");
        Self { db, clock: ManualClock::new(start), entropy: SeededEntropy::new(1), location, url: String::new() }
    }

    /// Sets the clock to the current time, for tests with other processes, which use the system clock.
    pub fn today(mut self) -> Self {
        self.clock = ManualClock::new(SystemClock.now());
        self.with_server_clock()
    }

    /// Makes the test's clock that of the database server too, where there is one.
    fn with_server_clock(mut self) -> Self {
        self.db = self.db.with_server_clock(self.clock.clone());
        self
    }

    /// Opens the same database again, as another process would.
    pub async fn reopen(&self) -> Db {
        match &self.location {
            StoreLocation::Sqlite(directory) => Db::open_sqlite(directory.path()).await,
            StoreLocation::Postgres { .. } => Db::open_postgres(&self.url, 8).await,
        }
        .expect("the store opens again")
        .with_server_clock(self.clock.clone())
    }

    /// The environment that rooms take.
    pub fn env(&self) -> Env {
        Env::new(self.db.clone(), self.clock.clone(), self.entropy.clone())
    }

    /// Its PostgreSQL URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The location of the store, for tests that bypass `store`.
    pub const fn location(&self) -> &StoreLocation {
        &self.location
    }
}
