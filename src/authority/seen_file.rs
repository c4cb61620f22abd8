//! Files that are read again when they change: how each was last read, and when it is to be read again.

use std::{
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use super::AuthorityError;
use crate::domain::Timestamp;

/// How long a file that was refused is left alone while its stamp is the same. Some reasons pass by themselves, such as a
/// list or a certificate from the future; most do not, and reading a large list costs seconds of a processor.
const RETRY_REFUSED: Duration = Duration::from_secs(30);

/// Detects that a file was replaced. A rename changes the inode even within one tick of the file system's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileStamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// How a file was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeenFile {
    /// Its stamp, taken before it was read.
    stamp: Option<FileStamp>,
    /// When it is read again although its stamp is the same; never once its contents are in use.
    retry_at: Option<Timestamp>,
}

impl SeenFile {
    /// A file whose contents are in use.
    pub(super) const fn used(stamp: Option<FileStamp>) -> Self {
        Self { stamp, retry_at: None }
    }

    /// A file whose contents are not used, and for what reason: a passing one is gone at the next poll, perhaps.
    pub(super) fn unused(stamp: Option<FileStamp>, is_passing: bool, now: Timestamp) -> Self {
        Self { stamp, retry_at: Some(if is_passing { now } else { now.plus(RETRY_REFUSED) }) }
    }

    /// Whether the file was refused with this stamp, and so was reported.
    pub(super) fn was_refused(&self, stamp: Option<&FileStamp>) -> bool {
        self.stamp.as_ref() == stamp && self.retry_at.is_some()
    }

    /// Whether the file is to be read again.
    pub(super) fn is_due(&self, stamp: Option<&FileStamp>, now: Timestamp) -> bool {
        self.stamp.as_ref() != stamp || self.retry_at.is_some_and(|at| at <= now)
    }
}

/// Whether an error of reading a file may pass while the file stays the same. A file that appears has another stamp, and
/// rights are given by people, who can wait for a while.
pub(super) fn is_passing(error: &AuthorityError) -> bool {
    use io::ErrorKind::{IsADirectory, NotFound, PermissionDenied};
    matches!(error, AuthorityError::File { source, .. }
        if !matches!(source.kind(), NotFound | PermissionDenied | IsADirectory))
}

/// The stamp of a file; none when there is no file.
pub(super) async fn stamp(path: &Path) -> Option<FileStamp> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some(FileStamp { modified: metadata.modified().ok(), length: metadata.len(), inode: metadata.ino() })
}
