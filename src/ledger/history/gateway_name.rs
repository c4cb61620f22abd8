//! The name by which other gateways know this one, as long as its files last.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use crate::{
    domain::{Entropy as _, SystemEntropy},
    ledger::checkpoint_file::CheckpointFile,
};

/// The name of a gateway. It belongs to the checkpoint file: what one process knew, the files hold for the next.
#[derive(Debug)]
pub struct GatewayName {
    name: String,
    /// Its lock keeps the name from a second process that shares the checkpoint file. It ends with the process.
    _lock: Option<File>,
}

impl GatewayName {
    /// Takes the name that belongs to a checkpoint file; where another process has it, or the file system refuses, one for this
    /// process alone.
    pub async fn take(checkpoint_file: &Path) -> Self {
        let path = CheckpointFile::new(checkpoint_file.to_owned()).neighbour(".gateway");
        // Taking a lock that is free waits for nothing, but the files may be on a slow disk.
        let taken = tokio::task::spawn_blocking(move || take(&path)).await;
        taken.ok().and_then(Result::ok).flatten().unwrap_or_else(|| Self { name: new_name(), _lock: None })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.name
    }
}

fn take(path: &Path) -> io::Result<Option<GatewayName>> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let mut name = String::new();
    file.read_to_string(&mut name)?;
    if name.trim().is_empty() {
        name = new_name();
        file.write_all(name.as_bytes())?;
        file.sync_all()?;
    }
    Ok(Some(GatewayName { name: name.trim().to_owned(), _lock: Some(file) }))
}

/// The machine's name, for people, and something that no other gateway has.
fn new_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim()).filter(|host| !host.is_empty()).unwrap_or("gateway");
    let mut unique = [0; 6];
    // Not the injected randomness: with equal seeds two gateways would have one name, and one could speak for the other.
    SystemEntropy.fill(&mut unique);
    format!("{host}-{}", data_encoding::HEXLOWER.encode(&unique))
}

#[cfg(test)]
mod tests {
    use super::GatewayName;

    #[tokio::test]
    async fn a_name_lasts_as_long_as_the_files_and_belongs_to_one_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoint");
        let first = GatewayName::take(&path).await;
        let second = GatewayName::take(&path).await;
        assert_ne!(first.as_str(), second.as_str());
        let name = first.as_str().to_owned();
        drop(first);
        assert_eq!(GatewayName::take(&path).await.as_str(), name);
        assert_ne!(GatewayName::take(&directory.path().join("other")).await.as_str(), name);
    }
}
