//! An OpenSSH server on this machine, where one is installed: it runs as the present user, with keys of its own.

use std::{path::Path, process::Command};

use anyhow::{Context as _, bail, ensure};

use super::programs::{Server, find, run, wait_for_port};

/// A running server. Dropped, it is stopped.
#[derive(Debug)]
pub(super) struct Sshd {
    _process: Server,
    /// Its public key, as `known_hosts` has it.
    pub(super) host_key: String,
}

async fn key(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let program = find("ssh-keygen").context("ssh-keygen is not installed")?;
    let mut command = Command::new(program);
    command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
    let made = run(command, String::new()).await?;
    ensure!(made.status.success(), "ssh-keygen failed: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

impl Sshd {
    /// Starts a server on a port, which accepts one key.
    pub(super) async fn start(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let (Some(program), Some(_)) = (find("sshd"), find("ssh-keygen")) else {
            bail!("OpenSSH's server is not installed");
        };
        let (host, ours) = (folder.join("host_key"), folder.join("our_key"));
        key(&host).await?;
        key(&ours).await?;
        let public = |path: &Path| std::fs::read_to_string(path.with_extension("pub"));
        std::fs::write(folder.join("authorized_keys"), public(&ours)?)?;
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\nAuthorizedKeysFile {keys}\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin prohibit-password\n\
             Subsystem sftp internal-sftp\n",
            host = host.display(),
            keys = folder.join("authorized_keys").display(),
        );
        let file = folder.join("sshd_config");
        std::fs::write(&file, settings)?;
        // The directory that sshd of Debian separates privileges in, missing where no service started it.
        let _ = std::fs::create_dir_all("/run/sshd");
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f"]).arg(&file);
        let process = Server::start(command)?;
        let text = public(&host)?;
        let host_key: Vec<&str> = text.split_whitespace().take(2).collect();
        wait_for_port(port).await?;
        Ok(Self { _process: process, host_key: host_key.join(" ") })
    }
}
