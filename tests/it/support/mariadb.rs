//! A private MariaDB server, started once per test process and stopped with it.
//!
//! It listens on loopback, because a password is checked there as over a network. A shell waits on a pipe from this process,
//! stops the server when the process ends for any reason, and removes its directory.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, mysql::MySqlConnectOptions};

const WATCH: &str = r#"
dir=$1; port=$2; user=$3
umask 077
PATH=$PATH:/usr/sbin
# Not the directory of the tests, which another user may not write to.
export TMPDIR=$dir
mariadb-install-db --no-defaults --user="$user" --datadir="$dir/data" --auth-root-authentication-method=normal \
    --skip-test-db --skip-name-resolve </dev/null >"$dir/install.log" 2>&1 ||
    { cat "$dir/install.log"; rm -rf "$dir"; exit 1; }
mariadbd --no-defaults --user="$user" --datadir="$dir/data" --socket="$dir/socket" --pid-file="$dir/pid" --port="$port" \
    --bind-address=127.0.0.1 --skip-name-resolve --log-error="$dir/server.log" --innodb-buffer-pool-size=32M \
    --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=0 --tmpdir="$dir" </dev/null >/dev/null 2>&1 &
server=$!
until mariadb-admin --no-defaults --socket="$dir/socket" --user=root ping </dev/null >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || { cat "$dir/server.log"; rm -rf "$dir"; exit 1; }
    sleep 0.1
done
echo ready
cat >/dev/null
kill -KILL "$server"
wait "$server" 2>/dev/null
rm -rf "$dir"
"#;

/// A running server.
#[derive(Debug)]
pub struct Mariadb {
    directory: PathBuf,
    port: u16,
    databases: AtomicU32,
    // Its standard input is the pipe the watchdog waits on.
    _watchdog: Child,
}

/// The server of this process, started on first use.
pub fn mariadb() -> &'static Mariadb {
    static SERVER: OnceLock<Mariadb> = OnceLock::new();
    SERVER.get_or_init(Mariadb::start)
}

impl Mariadb {
    fn start() -> Self {
        // Not removed with this value: the watchdog removes it once the server has stopped.
        let directory =
            tempfile::Builder::new().prefix("medcredit-mariadb-").tempdir().expect("a temporary directory").keep();
        // Free at this moment: the server does not choose a port itself.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let user = Command::new("id").arg("-un").output().expect("id runs").stdout;
        let user = match String::from_utf8(user).unwrap().trim() {
            // The server refuses to run as root, and changes to the user that its package made.
            "root" => "mysql".to_owned(),
            other => other.to_owned(),
        };
        if user == "mysql" {
            let done = Command::new("chown").arg("mysql").arg(&directory).status().unwrap();
            assert!(done.success(), "mariadb-server is needed and was not found: install the Debian package");
        }
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "watch"]).arg(&directory).args([&port.to_string(), &user]).current_dir(&directory);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // In a process group of its own: an interrupt typed at the terminal must not reach the server before its watchdog.
        command.process_group(0);
        let mut watchdog = command.spawn().expect("sh starts");
        let mut said = BufReader::new(watchdog.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("the watchdog speaks");
        if line != "ready\n" {
            let mut rest = String::new();
            said.read_to_string(&mut rest).expect("the watchdog speaks");
            panic!(
                "the private MariaDB did not start (is the Debian package mariadb-server installed?):\n{line}{rest}"
            );
        }
        Self { directory, port, databases: AtomicU32::new(0), _watchdog: watchdog }
    }

    /// Runs statements as the owner of everything.
    pub async fn execute(&self, database: &str, sql: &str) {
        let mut connection = self.options(database).connect().await.expect("the server answers");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.expect("the statements run");
        connection.close().await.expect("the connection closes");
    }

    /// The options of a connection of the owner of everything.
    pub fn options(&self, database: &str) -> MySqlConnectOptions {
        let options = MySqlConnectOptions::new().socket(self.directory.join("socket")).username("root");
        if database.is_empty() { options } else { options.database(database) }
    }

    /// The URL of a database for a user with a password.
    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!("mysql://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates an empty database and returns its name.
    pub async fn empty_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.execute("", &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")).await;
        name
    }
}
