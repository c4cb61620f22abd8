//! What the operating system gives this process: disk space and file descriptors.

use std::{fs, io, path::Path};

use rustix::process::{Resource, getrlimit};

/// The space of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that this process can still write: without those reserved for the superuser.
    pub free: u64,
    /// Its size in bytes.
    pub size: u64,
}

/// The file descriptors of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles {
    /// How many are open.
    pub open: u64,
    /// How many may be open now (`ulimit -Sn`).
    pub limit: u64,
    /// How far the process may raise that limit itself (`ulimit -Hn`, `LimitNOFILE=`).
    pub hard_limit: u64,
}

/// The space of the file system of a file or directory, or of the nearest directory above it that exists.
pub fn disk_space(path: &Path) -> io::Result<DiskSpace> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or_else(|| Path::new("."));
    let found = rustix::fs::statvfs(existing)?;
    Ok(DiskSpace {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        size: found.f_blocks.saturating_mul(found.f_frsize),
    })
}

/// The file descriptors of this process; none open where `/proc` does not show them.
pub fn open_files() -> OpenFiles {
    // One of them is the directory itself.
    let open = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count().saturating_sub(1));
    let limits = getrlimit(Resource::Nofile);
    OpenFiles {
        open: u64::try_from(open).unwrap_or(u64::MAX),
        limit: limits.current.unwrap_or(u64::MAX),
        hard_limit: limits.maximum.unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_space_of_a_missing_file_is_that_of_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let space = disk_space(directory.path()).unwrap();
        assert!(space.size > 0 && space.free <= space.size);
        assert_eq!(disk_space(&directory.path().join("not/there")).unwrap().size, space.size);
        assert!(disk_space(Path::new("no-such-file")).is_ok());
    }

    #[test]
    fn descriptors_are_counted_against_both_limits() {
        let files = open_files();
        assert!(files.open >= 3 && files.open < files.limit && files.limit <= files.hard_limit, "{files:?}");
    }
}
