//! The demonstration's directory: its configuration, its secrets, and the places of everything else.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use data_encoding::BASE64;

use crate::{authority::files, config::Config, domain::Entropy};

/// The demonstration's directory.
#[derive(Debug)]
pub(super) struct DemoDirectory {
    /// The absolute path.
    pub(super) path: PathBuf,
    /// Whether it was empty.
    pub(super) is_new: bool,
}

/// A file that marks a demonstration: a directory with other files is never written to.
const MARK: &str = "demo.json";

impl DemoDirectory {
    /// Opens an empty directory, or one that is a demonstration already.
    pub(super) fn open(directory: &Path, port: u16, entropy: &dyn Entropy) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let path = std::fs::canonicalize(directory).with_context(|| directory.display().to_string())?;
        let is_new = std::fs::read_dir(&path)?.next().is_none();
        let opened = Self { path, is_new };
        ensure!(
            is_new || opened.file("gateway.toml").exists() || opened.file(MARK).exists(),
            "{} is neither empty nor a demonstration: choose another directory with --dir",
            opened.path.display()
        );
        for folder in ["secrets", "certs", "banks", "city", "platforms"] {
            std::fs::create_dir_all(opened.file(folder))?;
        }
        let secret = opened.file("secrets/key-encryption-keys");
        // Never replaced: what the database has sealed needs this key.
        if !secret.exists() {
            let mut key = zeroize::Zeroizing::new([0; 32]);
            entropy.fill(&mut *key);
            files::write_private(&secret, BASE64.encode(&*key).as_bytes())?;
        }
        // Rewritten every time, because the port may have changed.
        std::fs::write(opened.file("gateway.toml"), settings(port)?)?;
        Ok(opened)
    }

    /// A file of the directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Adds to the configuration.
    pub(super) fn add_settings(&self, more: &str) -> anyhow::Result<()> {
        let path = self.file("gateway.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(std::fs::write(&path, text + more)?)
    }

    /// The configuration.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.file("gateway.toml"))?)
    }
}

fn settings(port: u16) -> anyhow::Result<String> {
    let console = port.checked_add(6).context("--port-base is too high: the demonstration uses the next six")?;
    let (telemetry, portal) = (port + 1, port + 2);
    Ok(format!(
        r#"# A demonstration: all data is synthetic. `medcredit config print --config <this file>` shows everything in effect.
[gateway]
public_origin = "https://localhost:{port}"

[store]
directory = "data"

[secrets]
key_encryption_key_file = "secrets/key-encryption-keys"

[partner]
listen = "127.0.0.1:{port}"
certificate_file = "certs/server.pem"
key_file = "certs/server.key"

[portal]
enabled = true
listen = "127.0.0.1:{portal}"
public_origin = "https://localhost:{portal}"

[console]
enabled = true
listen = "127.0.0.1:{console}"
public_origin = "https://localhost:{console}"

[telemetry]
listen = "127.0.0.1:{telemetry}"

[ledger]
# Without the port, so that the log keeps its name when the port changes.
host = "localhost"
checkpoint_file = "checkpoint"

[log]
format = "text"
filter = "warn"
"#
    ))
}
