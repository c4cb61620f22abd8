//! A database that may lose acknowledged commits is refused, and asynchronous standbys are reported (I1).

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    process::{Child, Stdio},
    time::Duration,
};

use medcredit::store::{
    Db, DbError,
    durability::{self, Requirements},
};

use crate::support::{TestStore, block_on, cluster::Cluster, private_directory, process::run};

/// A process that ends with its test.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Receives the server's WAL, as an asynchronous standby does; returns when the server reports it.
async fn follow(cluster: &Cluster, db: &Db, options: &[&str]) -> Ending {
    let place = cluster.directory().join("follower");
    fs::create_dir(&place).unwrap();
    let owner = fs::metadata(cluster.directory()).unwrap();
    chown(&place, Some(owner.uid()), Some(owner.gid())).unwrap();
    let socket = cluster.directory().to_str().unwrap();
    let args = [&["-D", place.to_str().unwrap(), "-h", socket, "-U", "medcredit", "--no-loop"], options].concat();
    let follower = cluster.program("pg_receivewal", &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let follower = Ending(follower.unwrap());
    let known = async {
        while durability::examine(db, Requirements::default()).await.unwrap().warned.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), known).await.expect("the server knows its follower");
    follower
}

/// A configuration for a database of a cluster.
struct Site {
    store: TestStore,
    config: String,
    _directory: tempfile::TempDir,
}

impl Site {
    async fn of(cluster: &Cluster) -> Self {
        let store = TestStore::on_cluster(cluster).await;
        let directory = private_directory();
        let config = directory.path().join("gateway.toml");
        let url = directory.path().join("url");
        fs::write(&url, store.url()).unwrap();
        fs::set_permissions(&url, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&config, "[store]\nengine = 'postgres'\nurl_file = 'url'\nallow_owner = true\n").unwrap();
        Self { store, config: config.to_str().unwrap().to_owned(), _directory: directory }
    }
}

/// A cluster with settings turned off.
fn with_off(off: &[&str]) -> Cluster {
    let settings: String = off.iter().map(|setting| format!("{setting} = off\n")).collect();
    tokio::task::block_in_place(|| Cluster::start_with(&settings))
}

#[test]
fn a_server_that_does_not_sync_is_refused() {
    // An operator with a PostgreSQL server set up for speed.
    block_on(async {
        let cluster = with_off(&["fsync", "full_page_writes", "synchronous_commit"]);
        let site = Site::of(&cluster).await;
        let found = durability::examine(&site.store.db, Requirements::default()).await.unwrap();
        assert_eq!(found.refused.len(), 3, "{found:?}");
        for command in ["serve", "doctor"] {
            let output = tokio::task::block_in_place(|| run(&["--config", &site.config, command]));
            assert_eq!(output.status.code(), Some(1), "{command}");
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            for reason in ["fsync is off", "full_page_writes is off", "synchronous_commit is off"] {
                assert!(said.contains(&format!("{reason}; it must be on")), "{said}");
            }
        }
    });
}

#[test]
fn an_asynchronous_standby_is_reported() {
    // An operator whose server has an asynchronous standby: a failover may lose what was committed.
    block_on(async {
        let cluster = with_off(&[]);
        let site = Site::of(&cluster).await;
        let found = durability::examine(&site.store.db, Requirements::default()).await.unwrap();
        assert!(found.refused.is_empty() && found.warned.is_empty(), "{found:?}");
        let _follower = follow(&cluster, &site.store.db, &[]).await;
        let output = tokio::task::block_in_place(|| run(&["--config", &site.config, "doctor"]));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("1 standby server(s) follow asynchronously"), "{said}");
        let found = durability::examine(&site.store.db, Requirements::default()).await.unwrap();
        assert!(found.refused.is_empty(), "a warning, and no more: {found:?}");
    });
}

#[test]
fn a_required_synchronous_standby_is_one_that_is_connected() {
    // An operator who requires a standby that has every commit, whose standby follows, is synchronous, and ends.
    block_on(async {
        let cluster = with_off(&[]);
        let site = Site::of(&cluster).await;
        let db = &site.store.db;
        let required = Requirements { synchronous_standby: true };
        let text = fs::read_to_string(&site.config).unwrap();
        fs::write(&site.config, format!("{text}require_synchronous_standby = true\n")).unwrap();
        let missing = "no synchronous standby is connected, and store.require_synchronous_standby is set";
        let refused = async || durability::examine(db, required).await.unwrap().refused;
        assert_eq!(refused().await, [missing]);
        for command in ["serve", "doctor"] {
            let output = tokio::task::block_in_place(|| run(&["--config", &site.config, command]));
            assert_eq!(output.status.code(), Some(1), "{command}");
            let text = [output.stdout, output.stderr].concat();
            assert!(String::from_utf8_lossy(&text).contains(missing), "{command}");
        }
        let follower = follow(&cluster, db, &["--synchronous"]).await;
        assert_eq!(refused().await, [missing], "it follows, and no commit waits for it");
        cluster.configure("synchronous_standby_names", "*").await;
        let until = async |is_refused: bool| {
            let so = async {
                while refused().await.is_empty() == is_refused {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), so).await.expect("the server knows its standby");
        };
        until(false).await;
        drop(follower);
        until(true).await;
        // A commit waits for a standby that does not come; its caller does not, and cannot rely on it.
        let mut tx = db.answering_within(Duration::from_millis(300)).begin("test").await.unwrap();
        tx.execute("INSERT INTO settings (name, value) VALUES ('a', '1')", vec![]).await.unwrap();
        let unknown = tx.commit().await.unwrap_err();
        assert!(matches!(unknown, DbError::CommitUnknown { .. }), "{unknown}");
        assert!(durability::examine(db, Requirements::default()).await.unwrap().refused.is_empty());
    });
}
