//! A private server of SFTP: OpenSSH's, on loopback, as the user of the tests and with keys made for it.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The server ends with the pipe on its standard input, which is the test's.
const WATCH: &str = r#"
dir=$1; port=$2
PATH=$PATH:/usr/sbin
trap '' XFSZ
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
"$(command -v sshd)" -D -e -f "$dir/sshd_config" </dev/null >/dev/null 2>"$dir/server.log" &
server=$!
until ssh-keyscan -p "$port" 127.0.0.1 2>/dev/null | grep -q .; do
    kill -0 "$server" 2>/dev/null || { cat "$dir/server.log"; exit 1; }
    sleep 0.05
done
echo ready
cat >/dev/null
kill "$server"
wait "$server" 2>/dev/null
"#;

/// A running server.
#[derive(Debug)]
pub struct Sshd {
    directory: tempfile::TempDir,
    pub port: u16,
    // Its standard input is the pipe the watchdog waits on.
    watchdog: Child,
}

impl Sshd {
    /// Starts a server whose SFTP has options, and with a limit for the size of files in blocks of 512 bytes.
    pub fn start_with(options: &str, largest_file: Option<u32>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["host_key", "other_host_key", "client_key", "other_key"] {
            generate(&directory.path().join(name), &["-t", "ed25519"]);
        }
        let path = |name: &str| directory.path().join(name);
        std::fs::copy(path("client_key.pub"), path("authorized_keys")).unwrap();
        std::fs::create_dir(path("drop")).unwrap();
        // Free at this moment: the server does not choose a port itself.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = directory.path().display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/host_key\nAuthorizedKeysFile {dir}/authorized_keys\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPidFile none\n\
             PermitRootLogin prohibit-password\nLogLevel ERROR\nSubsystem sftp internal-sftp {options}\n"
        );
        std::fs::write(path("sshd_config"), config).unwrap();
        let limit = largest_file.map(|blocks| format!("ulimit -f {blocks}\n")).unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", &(limit + WATCH), "watch"]).arg(directory.path()).arg(port.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut watchdog = command.spawn().expect("sh starts");
        let mut said = BufReader::new(watchdog.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("the watchdog speaks");
        if line != "ready\n" {
            let mut rest = String::new();
            said.read_to_string(&mut rest).expect("the watchdog speaks");
            panic!("sshd did not start (is the Debian package openssh-server installed?):\n{line}{rest}");
        }
        Self { directory, port, watchdog }
    }

    pub fn start() -> Self {
        Self::start_with("", None)
    }

    /// The path of a file beside the server.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The folder of the receiver.
    pub fn folder(&self) -> PathBuf {
        self.path("drop")
    }

    /// A host key as `known_hosts` has it, without its comment.
    pub fn host_key(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// The user that the server runs as.
    pub fn user() -> String {
        let user = Command::new("id").arg("-un").output().expect("id runs").stdout;
        String::from_utf8(user).unwrap().trim().to_owned()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // The watchdog ends the server when the pipe closes, before its directory is removed.
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// Makes a key without a passphrase.
pub fn generate(path: &Path, options: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-N", "", "-C", "test", "-f"]).arg(path).args(options);
    assert!(command.status().expect("ssh-keygen is installed").success());
}
