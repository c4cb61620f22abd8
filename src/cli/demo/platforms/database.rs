//! A front-end exchange database on this machine, where PostgreSQL is installed.

use std::{
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{bail, ensure};

use super::programs::{Server, find, run, wait_for_port};

/// The user and group that PostgreSQL runs as where the demonstration runs as root, which it refuses: nobody's.
const NOBODY: u32 = 65_534;

/// How often a database that starts is asked.
const STARTS: u32 = 100;

/// A running database. Dropped, it is stopped.
#[derive(Debug)]
pub(super) struct ExchangeDatabase {
    _process: Server,
    program: PathBuf,
    port: u16,
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// A command that runs as nobody where this process is root's.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

impl ExchangeDatabase {
    /// Starts a database with the platform's tables. An error where PostgreSQL is not installed, or cannot use the folder, as nobody
    /// cannot that of another user.
    pub(super) async fn start(folder: &Path, port: u16, tables: &str) -> anyhow::Result<Self> {
        let (Some(initdb), Some(postgres), Some(psql)) = (find("initdb"), find("postgres"), find("psql")) else {
            bail!("PostgreSQL is not installed");
        };
        let data = folder.join("data");
        let is_new = !data.join("PG_VERSION").exists();
        if is_new {
            std::fs::create_dir_all(&data)?;
            if is_root() {
                chown(&data, Some(NOBODY), Some(NOBODY))?;
            }
            let mut initdb = command(&initdb);
            initdb.args(["--no-sync", "-U", "platform", "--auth=trust", "-E", "UTF8", "-D"]).arg(&data);
            let made = run(initdb, String::new()).await?;
            if !made.status.success() {
                let said = String::from_utf8_lossy(&made.stderr);
                let why = said.lines().find(|line| line.contains("error")).unwrap_or("initdb failed");
                bail!("PostgreSQL cannot be used here ({why})");
            }
        }
        let mut postgres = command(&postgres);
        postgres.arg("-D").arg(&data);
        postgres.args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-c",
            &format!("port={port}"),
        ]);
        let process = Server::start(postgres)?;
        wait_for_port(port).await?;
        let database = Self { _process: process, program: psql, port };
        // It listens before it has recovered from a stop in the midst.
        for _ in 0..STARTS {
            if database.execute("SELECT 1;").await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if is_new {
            database.execute(tables).await?;
        }
        Ok(database)
    }

    /// Runs statements as the platform's own administrator.
    pub(super) async fn execute(&self, statements: &str) -> anyhow::Result<()> {
        let mut psql = Command::new(&self.program);
        psql.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "platform", "-d", "postgres"]);
        psql.args(["-v", "ON_ERROR_STOP=1"]);
        let done = run(psql, statements.to_owned()).await?;
        ensure!(done.status.success(), "psql failed: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }
}
