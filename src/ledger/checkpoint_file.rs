//! The checkpoint file outside the database, which makes a truncated ledger visible.
//!
//! It is replaced by compare-and-swap under a lock on a neighbouring file, so that several gateways of one machine may share
//! it, and in an order that leaves either the old or the new file complete whenever the power fails:
//! open(new, O_CREAT|O_TRUNC), write, fsync(new), rename(new, old), fsync(directory). The remaining risk is a disk that
//! acknowledges fsync without having written.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::faults::{Faults, Step};
use crate::store::DbError;

/// Why the checkpoint file could not be read or replaced.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointFileError {
    /// The file system refused.
    #[error("the checkpoint file {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A test injected a fault.
    #[error("the checkpoint file")]
    Interrupted(#[source] DbError),
}

/// The file that holds the newest checkpoint.
#[derive(Debug, Clone)]
pub struct CheckpointFile {
    path: PathBuf,
}

impl CheckpointFile {
    /// The file at `path`, which need not exist yet.
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file beside it.
    pub(super) fn neighbour(&self, extension: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(extension);
        name.into()
    }

    /// The note in the file; `None` when there is no file.
    pub async fn read(&self) -> Result<Option<String>, CheckpointFileError> {
        let path = self.path.clone();
        self.blocking(move || match std::fs::read_to_string(path) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// Replaces `expected` by `note`; `false` when the file holds something else.
    pub(super) async fn replace(
        &self,
        expected: Option<&str>,
        note: &str,
        faults: &Faults,
    ) -> Result<bool, CheckpointFileError> {
        let (path, new, lock) = (self.path.clone(), self.neighbour(".new"), self.neighbour(".lock"));
        let (expected, note) = (expected.map(str::to_owned), note.to_owned());
        let (target, source) = (path.clone(), new.clone());
        // A crash while the new file is written leaves the old one in place, and a partial file that the next write
        // overwrites.
        let locked = self.blocking(move || write_new(&path, &new, &lock, expected.as_deref(), &note)).await?;
        let Some(lock) = locked else { return Ok(false) };
        faults.at(Step::CheckpointFileRename).await.map_err(CheckpointFileError::Interrupted)?;
        let renamed = target.clone();
        self.blocking(move || std::fs::rename(source, renamed)).await?;
        // A crash here may undo the rename: an older checkpoint, which the next start replaces.
        faults.at(Step::CheckpointFileSync).await.map_err(CheckpointFileError::Interrupted)?;
        self.blocking(move || File::open(directory_of(&target))?.sync_all()).await?;
        // Held until here, so that nobody else truncates the new file between its writing and its rename.
        drop(lock);
        Ok(true)
    }

    /// Copies the file to a neighbour that is named after an epoch, as evidence.
    pub(super) async fn keep_copy(&self, epoch: i64) -> Result<PathBuf, CheckpointFileError> {
        let (path, copy) = (self.path.clone(), self.neighbour(&format!(".{epoch}")));
        self.blocking(move || {
            std::fs::copy(path, &copy)?;
            File::open(&copy)?.sync_all()?;
            Ok(copy)
        })
        .await
    }

    // File operations and the lock may block for long: on a runtime thread they would stall the answers.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, CheckpointFileError> {
        // A panic of the work is reported like a failed file operation, and the next round tries again.
        let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|source| CheckpointFileError::Io { path: self.path.clone(), source })
    }
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        // A name without a folder has an empty parent, which no system call accepts.
        _ => PathBuf::from("."),
    }
}

/// Takes the lock and writes the new file; `None` when the current note is not the expected one. Returns the lock.
fn write_new(path: &Path, new: &Path, lock: &Path, expected: Option<&str>, note: &str) -> io::Result<Option<File>> {
    std::fs::create_dir_all(directory_of(path))?;
    // A file of its own: the checkpoint file is replaced by rename, so a lock on it would be on a file no longer in
    // place. It is never removed, or two processes could each lock a different one.
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(lock)?;
    // The kernel releases it when its holder dies, so a crash leaves no lock behind.
    lock.lock()?;
    let current = match std::fs::read_to_string(path) {
        Ok(note) => Some(note),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if current.as_deref() != expected {
        return Ok(None);
    }
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(new)?;
    file.write_all(note.as_bytes())?;
    // Before the rename: otherwise a power failure could leave the name pointing at a file without contents.
    file.sync_all()?;
    Ok(Some(lock))
}
