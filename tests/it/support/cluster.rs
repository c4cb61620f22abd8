//! A private PostgreSQL cluster, started once per test process and stopped with it.
//!
//! It listens on a Unix socket in a directory only its user can enter, and on no port, so nothing else on the machine
//! can reach it. A shell waits on a pipe from this process: when the process ends for any reason, the pipe closes, and the
//! shell stops the server and removes the directory.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use medcredit::{
    domain::SystemClock,
    store::{Db, migrations},
};

/// The settings meet the requirements of `serve`: none of them turns syncing off.
const WATCH: &str = r#"
bin=$1; dir=$2; settings=$3; primary=$4
umask 077
if [ -z "$primary" ]; then
    "$bin/initdb" -D "$dir/data" -U medcredit -A trust -E UTF8 --no-locale --no-sync
else
    "$bin/pg_basebackup" -D "$dir/data" -U medcredit -h "$primary" -R -c fast --no-sync
fi </dev/null >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log"; rm -rf "$dir"; exit 1; }
cat >>"$dir/data/postgresql.conf" <<SETTINGS
listen_addresses = ''
unix_socket_directories = '$dir'
max_connections = 300
shared_buffers = 64MB
max_wal_size = 2GB
checkpoint_timeout = 30min
autovacuum = off
track_commit_timestamp = on
timezone = 'UTC'
log_timezone = 'UTC'
$settings
SETTINGS
"$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/server.log" start </dev/null >/dev/null 2>&1 ||
    { cat "$dir/server.log"; rm -rf "$dir"; exit 1; }
echo ready
cat >/dev/null
"$bin/pg_ctl" -D "$dir/data" -m immediate stop </dev/null >/dev/null 2>&1
rm -rf "$dir"
"#;

/// The name of the migrated database that every test's own is copied from.
const TEMPLATE: &str = "pattern";

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    binaries: PathBuf,
    directory: PathBuf,
    databases: AtomicU32,
    // Its standard input is the pipe the watchdog waits on.
    _watchdog: Child,
}

/// The cluster of this process, started on first use.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    /// Another cluster, for a test that breaks it or has settings of its own.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a cluster with additional lines of configuration.
    pub fn start_with(settings: &str) -> Self {
        let cluster = Self::launch(settings, None);
        cluster.make_template();
        cluster
    }

    /// Starts a standby of this cluster, a copy that follows by streaming replication over a socket in `through`. It is
    /// asynchronous, unless the primary is configured otherwise.
    pub fn standby(&self, through: &Path) -> Self {
        let databases = AtomicU32::new(self.databases.load(Ordering::SeqCst));
        // By default it would try to connect again only every five seconds.
        Self { databases, ..Self::launch("wal_retrieve_retry_interval = 100ms", Some(through)) }
    }

    fn launch(settings: &str, primary: Option<&Path>) -> Self {
        let binaries = binaries();
        // Not removed with this value: the watchdog removes it once the server has stopped.
        let directory =
            tempfile::Builder::new().prefix("medcredit-pg-").tempdir().expect("a temporary directory").keep();
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "watch"]).arg(&binaries).arg(&directory).arg(settings);
        command.arg(primary.unwrap_or_else(|| Path::new(""))).current_dir(&directory);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // In a process group of its own: an interrupt typed at the terminal must not reach the server before its watchdog.
        command.process_group(0);
        let owner = std::fs::metadata(&directory).expect("the directory exists").uid();
        if owner == 0 {
            let (user, group) = unprivileged();
            std::os::unix::fs::chown(&directory, Some(user), Some(group)).expect("root may give a directory away");
        }
        as_owner(&mut command, &directory);
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700)).expect("permissions are set");
        let mut watchdog = command.spawn().expect("sh starts");
        let mut said = BufReader::new(watchdog.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("the watchdog speaks");
        if line != "ready\n" {
            let mut rest = String::new();
            said.read_to_string(&mut rest).expect("the watchdog speaks");
            panic!("the private PostgreSQL cluster did not start:\n{line}{rest}");
        }
        Self { binaries, directory, databases: AtomicU32::new(0), _watchdog: watchdog }
    }

    /// On a thread of its own, because the first caller may already be inside a runtime.
    fn make_template(&self) {
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    super::block_on(async {
                        self.execute(format!("CREATE DATABASE {TEMPLATE}")).await;
                        let db = Db::open_postgres(&self.url(TEMPLATE), 1).await.expect("the template opens");
                        migrations::migrate(&db, &SystemClock).await.expect("the template migrates");
                        // PostgreSQL copies no template that has open connections.
                        db.close().await;
                    });
                })
                .join()
                .expect("the template is made");
        });
    }

    async fn execute(&self, sql: String) {
        use sqlx::{ConnectOptions, Connection, Executor};
        let options: sqlx::postgres::PgConnectOptions = self.url("postgres").parse().expect("our own URL");
        let mut connection = options.connect().await.expect("the cluster answers");
        // The name of a database cannot be bound.
        connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("the statement runs");
        connection.close().await.expect("the connection closes");
    }

    /// A command for one of PostgreSQL's programs, run as the server's user.
    pub fn program(&self, name: &str, args: &[&str]) -> Command {
        // On Debian client programs are in the same directory as the server's, and only some of them in PATH.
        let beside = self.binaries.join(name);
        let mut command = if beside.exists() { Command::new(beside) } else { Command::new(name) };
        command.args(args).current_dir(&self.directory).stdin(Stdio::null());
        as_owner(&mut command, &self.directory);
        command
    }

    /// Kills every process of the server, as in a power failure, and starts it again: it recovers from its WAL.
    pub fn crash(&self) {
        self.stop();
        self.start_again();
    }

    /// Kills every process of the server, as in a power failure.
    pub fn stop(&self) {
        self.pg_ctl(&["-m", "immediate", "stop"]);
    }

    /// Starts the server again: it recovers from its WAL.
    pub fn start_again(&self) {
        let log = self.directory.join("server.log");
        self.pg_ctl(&["-w", "-t", "60", "-l", log.to_str().unwrap(), "start"]);
    }

    /// Makes a standby a primary.
    pub fn promote(&self) {
        self.pg_ctl(&["-w", "-t", "60", "promote"]);
    }

    fn pg_ctl(&self, args: &[&str]) {
        let data = self.directory.join("data");
        let args = [&["-D", data.to_str().unwrap()], args].concat();
        let done = self.program("pg_ctl", &args).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(done.success(), "pg_ctl {args:?}");
    }

    /// Stops (SIGSTOP) or continues (SIGCONT) every process of the server. Returns how many there are.
    pub fn signal_server(&self, signal: &str) -> usize {
        let pid_file = std::fs::read_to_string(self.directory.join("data/postmaster.pid")).unwrap();
        let first = pid_file.lines().next().unwrap().to_owned();
        // The first process first: stopped, it starts no others.
        assert!(signal_process(signal, &first), "the server runs");
        let children = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // After the name in parentheses: the state, and the parent.
            let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
            (parent == first).then(|| entry.file_name().to_str().unwrap().to_owned())
        });
        let children: Vec<_> = children.collect();
        children.iter().filter(|pid| signal_process(signal, pid)).count() + 1
    }

    /// Sets a parameter of the whole server, as an operator does while it runs.
    pub async fn configure(&self, parameter: &str, value: &str) {
        self.execute(format!("ALTER SYSTEM SET {parameter} = '{value}'")).await;
        self.execute("SELECT pg_reload_conf()".to_owned()).await;
    }

    /// Kills one of the server's processes for a client (SIGKILL); the server ends all others and recovers.
    pub async fn kill_a_backend(&self, database: &str) {
        let pids = self.backends(database, "").await;
        let last = pids.first().expect("there is one");
        assert!(Command::new("kill").args(["-9", &last.to_string()]).status().unwrap().success());
    }

    /// Stops (SIGSTOP) or continues (SIGCONT) the server processes whose last statement contains a text.
    pub async fn signal_backends(&self, database: &str, statement: &str, signal: &str) -> usize {
        let pids = self.backends(database, statement).await;
        pids.iter().filter(|pid| signal_process(signal, &pid.to_string())).count()
    }

    /// The server processes for clients of a database whose last statement contains a text, the latest first.
    async fn backends(&self, database: &str, statement: &str) -> Vec<i32> {
        use sqlx::{ConnectOptions, Connection};
        let options: sqlx::postgres::PgConnectOptions = self.url("postgres").parse().expect("our own URL");
        let mut connection = options.connect().await.expect("the cluster answers");
        let sql =
            "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND strpos(query, $2) > 0 ORDER BY state_change DESC";
        let pids = sqlx::query_scalar(sql).bind(database).bind(statement).fetch_all(&mut connection).await;
        // Closed here, because the caller may kill the server next.
        let _ = connection.close().await;
        pids.expect("the server lists its processes")
    }

    /// The result of a query, which is one text.
    pub async fn ask(&self, database: &str, sql: &'static str) -> String {
        use sqlx::{ConnectOptions, Connection};
        let options: sqlx::postgres::PgConnectOptions = self.url(database).parse().expect("our own URL");
        let mut connection = options.connect().await.expect("the cluster answers");
        let text = sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("the query runs");
        connection.close().await.expect("the connection closes");
        text
    }

    /// Its directory, which exists as long as it runs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The URL of a database for the role that owns everything.
    pub fn url(&self, database: &str) -> String {
        self.url_as("medcredit", database)
    }

    /// The URL of a database, for a role.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        url_at(&self.directory, role, database)
    }

    /// Creates a database with the whole schema and returns its name.
    pub async fn migrated_database(&self) -> String {
        let name = self.next_name();
        self.execute(format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
        name
    }

    /// Creates an empty database and returns its name.
    pub async fn empty_database(&self) -> String {
        let name = self.next_name();
        self.execute(format!("CREATE DATABASE {name}")).await;
        name
    }

    /// Creates a role that may connect, unless it exists: roles belong to the whole cluster.
    pub async fn create_role(&self, role: &str) {
        self.execute(format!(
            "DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        ))
        .await;
    }

    /// Sets a parameter for every future session of a database.
    pub async fn set_for_database(&self, database: &str, parameter: &str, value: &str) {
        self.execute(format!("ALTER DATABASE {database} SET {parameter} = '{value}'")).await;
    }

    fn next_name(&self) -> String {
        format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst))
    }
}

/// The URL of a database of the server, or of a proxy to one, whose socket is in a directory.
pub fn url_at(directory: &Path, role: &str, database: &str) -> String {
    let socket = directory.display().to_string().replace('/', "%2F");
    format!("postgres://{role}@localhost/{database}?host={socket}")
}

/// PostgreSQL refuses to run as root, so it runs as the owner of its directory.
fn as_owner(command: &mut Command, directory: &Path) {
    let owner = std::fs::metadata(directory).expect("the directory exists");
    if std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        command.uid(owner.uid()).gid(owner.gid());
    }
}

/// The directory of `initdb` and `pg_ctl`: from PATH, or Debian's (the newest version).
fn binaries() -> PathBuf {
    let complete = |directory: &Path| directory.join("initdb").exists() && directory.join("pg_ctl").exists();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path).find(|directory| complete(directory)) {
        // Links to some programs: the others are where they lead.
        let real = std::fs::canonicalize(found.join("initdb")).ok();
        return real.as_deref().and_then(Path::parent).map_or(found.clone(), Path::to_owned);
    }
    let version = |path: &Path| -> u32 {
        let name = path.parent().and_then(Path::file_name).and_then(std::ffi::OsStr::to_str);
        name.and_then(|name| name.parse().ok()).unwrap_or(0)
    };
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    installed
        .map(|version| version.path().join("bin"))
        .filter(|directory| complete(directory))
        .max_by_key(|directory| version(directory))
        .expect("initdb and pg_ctl are needed and were not found: install the Debian package `postgresql`")
}

/// The user and group the server runs as when the tests run as root.
fn unprivileged() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).expect("a user `postgres` or `nobody` exists")
}

/// Sends a signal to a process and reports whether it was there: the server's workers begin and end by themselves.
fn signal_process(signal: &str, pid: &str) -> bool {
    let sent = Command::new("kill").args([signal, pid]).stderr(Stdio::null()).status().unwrap().success();
    assert!(sent || !Path::new("/proc").join(pid).exists(), "{signal} could not be sent to {pid}");
    sent
}
