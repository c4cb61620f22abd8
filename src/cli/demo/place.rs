//! The demonstration's directory: its configuration, its secrets, and where everything else is.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use data_encoding::BASE64;

use crate::{authority::files, config::Config, domain::Entropy};

/// The demonstration's directory.
#[derive(Debug)]
pub(super) struct Place {
    /// Itself, absolute.
    pub(super) directory: PathBuf,
}

/// Says whose a directory is, so that nothing else is ever written into.
const MARK: &str = "demo.json";

impl Place {
    /// Takes an empty directory, or one that is a demonstration already.
    pub(super) fn open(directory: &Path, port: u16, entropy: &dyn Entropy) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let directory = std::fs::canonicalize(directory).with_context(|| directory.display().to_string())?;
        let place = Self { directory };
        let ours = place.file("gateway.toml").exists() || place.file(MARK).exists();
        let empty = std::fs::read_dir(&place.directory)?.next().is_none();
        ensure!(
            ours || empty,
            "{} is neither empty nor a demonstration: choose another directory with --dir",
            place.directory.display()
        );
        for folder in ["secrets", "certs", "banks", "city"] {
            std::fs::create_dir_all(place.file(folder))?;
        }
        let secret = place.file("secrets/key-encryption-keys");
        if !secret.exists() {
            let mut key = zeroize::Zeroizing::new([0; 32]);
            entropy.fill(&mut *key);
            files::write_private(&secret, BASE64.encode(&*key).as_bytes())?;
        }
        // Written anew each time: the port may be another one.
        std::fs::write(place.file("gateway.toml"), settings(port)?)?;
        Ok(place)
    }

    /// A file of the directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The configuration.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.file("gateway.toml"))?)
    }
}

fn settings(port: u16) -> anyhow::Result<String> {
    let portal = port.checked_add(2).context("--port-base is too high: telemetry and the portal have the next two")?;
    let telemetry = port + 1;
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

[telemetry]
listen = "127.0.0.1:{telemetry}"

[ledger]
# Without the port, which may be another one tomorrow: the log stays the same.
host = "localhost"
checkpoint_file = "checkpoint"

[log]
format = "text"
filter = "warn"
"#
    ))
}
