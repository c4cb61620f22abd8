//! File operations that survive a crash, the failures of a file system in words, and the steps at which a test interrupts.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::Arc,
};

use super::super::{Failed, FailureReason};

/// A point between two effects, on the disk or on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskStep {
    /// The lock of the directory is taken.
    Locked,
    /// Half of a file is written under its temporary name.
    HalfWritten,
    /// A file is written under its temporary name and not synced.
    Written,
    /// It is synced and not renamed.
    Synced,
    /// It is renamed, and the directory not synced.
    Renamed,
    /// The package is closed, and one of its pages is removed.
    Removed,
    /// A file is on the server under its temporary name.
    Uploaded,
    /// It has its name there.
    Published,
}

/// What a test does at a step.
type Interruption = dyn Fn(DiskStep) -> io::Result<()> + Send + Sync;

/// Called at each step, where a test attached an interruption. Nothing is cleaned up after its error, as after a kill.
#[derive(Clone, Default)]
pub struct DiskFaults(Option<Arc<Interruption>>);

impl DiskFaults {
    /// Calls `at` at every step.
    pub fn new(at: impl Fn(DiskStep) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(at)))
    }

    pub(super) fn at(&self, step: DiskStep) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |interruption| interruption(step))
    }
}

impl fmt::Debug for DiskFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "DiskFaults(attached)" } else { "DiskFaults(none)" })
    }
}

/// A failure of the file system, in words.
pub(super) fn disk_failed(error: &io::Error, doing: &str, path: &Path) -> Failed {
    use io::ErrorKind::{
        FileTooLarge, NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let (reason, then) = match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            (FailureReason::DiskFull, "the disk is full: make room, or have the receiver fetch its files")
        }
        NotFound | NotADirectory => {
            (FailureReason::Missing, "it is missing: create the directory, or mount the receiver's again")
        }
        PermissionDenied => (FailureReason::Permission, "the gateway's user may not: give it the right"),
        ReadOnlyFilesystem => (FailureReason::Permission, "the file system is read-only: mount it for writing"),
        _ => (FailureReason::Disk, "look at the disk or the mount"),
    };
    Failed::passing(reason, format!("{doing} {}: {error}; {then}", path.display()))
}

/// Writes a file of two pieces under a temporary name. A leftover of that name is replaced.
pub(super) fn write_new(path: &Path, pieces: [&[u8]; 2], faults: &DiskFaults) -> io::Result<()> {
    let mut file = create(path)?;
    let [first, second] = pieces;
    file.write_all(first)?;
    let (half, rest) = second.split_at(second.len() / 2);
    file.write_all(half)?;
    faults.at(DiskStep::HalfWritten)?;
    file.write_all(rest)?;
    faults.at(DiskStep::Written)?;
    file.sync_all()?;
    faults.at(DiskStep::Synced)
}

/// Creates a file. What is there under the name is removed and not followed.
pub(super) fn create(path: &Path) -> io::Result<File> {
    remove(path)?;
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Renames a synced file, and syncs the directory: only then is the new name durable.
pub(super) fn rename(from: &Path, to: &Path, faults: &DiskFaults) -> io::Result<()> {
    fs::rename(from, to)?;
    faults.at(DiskStep::Renamed)?;
    to.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads a file; none if it is not there.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates the directory of unfinished files, for the gateway's user alone.
pub(super) fn create_work(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        // Synced, or a power failure could take acknowledged pages away with it.
        Ok(()) => path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all()),
        // A link there would let files be written elsewhere.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::symlink_metadata(path)?.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes the lock of a directory of unfinished files, until the file is dropped: two attempts never write the same package.
pub(super) fn lock(work: &Path) -> io::Result<File> {
    lock_named(work, "lock")
}

/// The same with a lock of another name.
pub(super) fn lock_named(work: &Path, name: &str) -> io::Result<File> {
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(work.join(name))?;
    lock.lock()?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_the_file_system_are_typed_and_tried_again() {
        for (kind, reason, word) in [
            (io::ErrorKind::StorageFull, FailureReason::DiskFull, "make room"),
            (io::ErrorKind::QuotaExceeded, FailureReason::DiskFull, "make room"),
            (io::ErrorKind::ReadOnlyFilesystem, FailureReason::Permission, "read-only"),
            (io::ErrorKind::PermissionDenied, FailureReason::Permission, "right"),
            (io::ErrorKind::NotFound, FailureReason::Missing, "mount"),
            (io::ErrorKind::Other, FailureReason::Disk, "mount"),
        ] {
            let failed = disk_failed(&kind.into(), "writing", Path::new("/drop/a.csv"));
            assert_eq!((failed.reason, failed.permanent), (reason, false), "{kind}");
            assert!(failed.detail.contains("writing /drop/a.csv") && failed.detail.contains(word), "{}", failed.detail);
        }
    }
}
