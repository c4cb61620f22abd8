//! A proxy in front of a PostgreSQL server, as between a gateway and a pair of servers, or between the two of them. It can be
//! cut, and lead to another server.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use tokio::{
    net::{UnixListener, UnixStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::{cluster::Cluster, private_directory};

/// The name of PostgreSQL's socket in its directory.
const SOCKET: &str = ".s.PGSQL.5432";

/// Where a proxy leads: the server's socket, or nowhere.
type Target = Option<PathBuf>;

/// A proxy. It ends with this value.
#[derive(Debug)]
pub struct PgProxy {
    directory: tempfile::TempDir,
    target: watch::Sender<Target>,
    task: JoinHandle<()>,
}

impl PgProxy {
    /// Starts a proxy that leads to a server.
    pub fn to(cluster: &Cluster) -> Self {
        let directory = private_directory();
        // The servers, which are clients of each other, may run as another user than the tests.
        let owner = std::fs::metadata(cluster.directory()).unwrap();
        chown(directory.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
        let path = directory.path().join(SOCKET);
        let listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        let (target, targets) = watch::channel(Some(cluster.directory().join(SOCKET)));
        Self { directory, target, task: tokio::spawn(accept(listener, targets)) }
    }

    /// The directory with its socket.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Cuts every connection and refuses others. On return nothing passes any more.
    pub async fn cut(&self) {
        self.target.send_replace(None);
        // Each connection holds a receiver, and the listener one more.
        while self.target.receiver_count() > 1 {
            tokio::task::yield_now().await;
        }
    }

    /// Cuts every connection; others lead to this server.
    pub fn lead_to(&self, cluster: &Cluster) {
        self.target.send_replace(Some(cluster.directory().join(SOCKET)));
    }
}

impl Drop for PgProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: UnixListener, targets: watch::Receiver<Target>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let mut cut = targets.clone();
        let target = cut.borrow_and_update().clone();
        connections.spawn(async move {
            tokio::select! {
                () = pass(client, target) => {}
                _ = cut.changed() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn pass(mut client: UnixStream, target: Target) {
    let Some(target) = target else { return };
    // A server that is gone looks like one that refuses.
    let Ok(mut server) = UnixStream::connect(target).await else { return };
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
