//! A file of lines outside the database, which several processes append to.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown},
    path::{Path, PathBuf},
    sync::Arc,
};

/// When appended lines are on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncing {
    /// Before the call returns.
    Now,
    /// When the system writes them: they outlive the process and not a power failure.
    Later,
}

/// What was added since the file was read last.
#[derive(Debug, Default)]
pub struct LineTail {
    /// Whole lines, each with its newline.
    pub bytes: Vec<u8>,
    /// The position to continue at.
    pub position: u64,
    /// The file is shorter than it was, so `bytes` are all that it holds.
    pub restarted: bool,
}

impl LineTail {
    /// The lines, without those that a crash cut off.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }
}

/// The file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LineFile(Arc<Path>);

impl LineFile {
    /// The file at `path`, which need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Appends lines, each with its newline.
    pub async fn append(&self, text: String, sync: Syncing) -> io::Result<()> {
        let path = self.0.clone();
        blocking(move || append(&path, &text, sync)).await
    }

    /// Renames it, if it has at least so many bytes: the next lines begin a new one.
    pub async fn set_aside(&self, from_bytes: u64, to: PathBuf) -> io::Result<()> {
        let path = self.0.clone();
        blocking(move || set_aside(&path, from_bytes, &to)).await
    }

    /// Reads what was added after a position; everything when the file is shorter than that.
    pub async fn read_from(&self, position: u64) -> io::Result<LineTail> {
        let path = self.0.clone();
        blocking(move || read_from(&path, position)).await
    }

    /// Reads about so many bytes at its end: whole lines.
    pub async fn read_last(&self, bytes: u64) -> io::Result<LineTail> {
        let path = self.0.clone();
        blocking(move || {
            let length = path.metadata().map_or(0, |metadata| metadata.len());
            let mut tail = read_from(&path, length.saturating_sub(bytes))?;
            if length > bytes {
                // The first one may have been cut in two.
                let first = tail.bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                tail.bytes.drain(..first);
            }
            Ok(tail)
        })
        .await
    }
}

// File operations and the lock may block for long: on a runtime thread they would stall the answers.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Whether a name still leads to an open file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    Ok(path.metadata().is_ok_and(|named| (named.dev(), named.ino()) == (open.dev(), open.ino())))
}

/// Opens the file and takes its lock, which lasts until it is closed. Returns whether it is new.
fn open_locked(path: &Path) -> io::Result<(File, bool)> {
    loop {
        let is_new = !path.exists();
        // It may name banks and consents: for the gateway's user alone.
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        file.lock()?;
        // While this waited for the lock, another process may have set the file aside.
        if is_at(&file, path)? {
            return Ok((file, is_new));
        }
    }
}

fn append(path: &Path, text: &str, sync: Syncing) -> io::Result<()> {
    let directory = directory_of(path);
    std::fs::create_dir_all(directory)?;
    let (mut file, is_new) = open_locked(path)?;
    if is_new {
        // Of an operator's command as root, the gateway could not read it and would refuse data. Others may give nothing away.
        let owner = std::fs::metadata(directory)?;
        let _ = fchown(&file, Some(owner.uid()), Some(owner.gid()));
    }
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    // A crash in the middle of a line has left a part of it, which was never acknowledged: it must not swallow this one.
    let text = if last == [b'\n'] { text.to_owned() } else { format!("\n{text}") };
    file.write_all(text.as_bytes())?;
    if sync == Syncing::Now {
        file.sync_all()?;
        if is_new {
            // Otherwise a power failure could lose the name of the file with all that is in it.
            File::open(directory)?.sync_all()?;
        }
    }
    Ok(())
}

fn set_aside(path: &Path, from_bytes: u64, to: &Path) -> io::Result<()> {
    if path.metadata().map_or(0, |metadata| metadata.len()) < from_bytes || !path.exists() {
        return Ok(());
    }
    let (file, _) = open_locked(path)?;
    // Another process may have been first: what it has begun since is small.
    if file.metadata()?.len() >= from_bytes {
        std::fs::rename(path, to)?;
    }
    Ok(())
}

fn read_from(path: &Path, position: u64) -> io::Result<LineTail> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(LineTail { restarted: position > 0, ..LineTail::default() });
        }
        Err(error) => return Err(error),
    };
    let restarted = file.metadata()?.len() < position;
    let position = if restarted { 0 } else { position };
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // A line without its end is being written, or was cut off by a crash.
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    let position = position + u64::try_from(bytes.len()).unwrap_or(0);
    Ok(LineTail { bytes, position, restarted })
}

#[cfg(test)]
mod tests {
    use super::{LineFile, Syncing};

    async fn lines(file: &LineFile) -> Vec<String> {
        let tail = file.read_from(0).await.unwrap();
        tail.lines().map(|line| String::from_utf8(line.to_vec()).unwrap()).collect()
    }

    #[tokio::test]
    async fn what_a_crash_cut_off_hides_no_other_line() {
        let directory = tempfile::tempdir().unwrap();
        let file = LineFile::new(directory.path().join("below/file"));
        assert!(lines(&file).await.is_empty());
        file.append("one\ntwo\n".into(), Syncing::Now).await.unwrap();
        std::fs::write(file.path(), "one\ntw").unwrap();
        assert_eq!(lines(&file).await, ["one"]);
        file.append("three\n".into(), Syncing::Later).await.unwrap();
        assert_eq!(lines(&file).await, ["one", "tw", "three"]);
    }

    #[tokio::test]
    async fn a_file_belongs_to_the_owner_of_its_directory() {
        use std::os::unix::fs::{MetadataExt as _, chown};
        // An operator's command that runs as root before the gateway's first line. Another user can only test his own files.
        let directory = tempfile::tempdir().unwrap();
        let _ = chown(directory.path(), Some(65534), Some(65534));
        let owner = std::fs::metadata(directory.path()).unwrap();
        let file = LineFile::new(directory.path().join("file"));
        file.append("one\n".into(), Syncing::Now).await.unwrap();
        let made = std::fs::metadata(file.path()).unwrap();
        assert_eq!((made.uid(), made.gid(), made.mode() & 0o777), (owner.uid(), owner.gid(), 0o600));
    }

    #[tokio::test]
    async fn its_end_is_whole_lines() {
        let directory = tempfile::tempdir().unwrap();
        let file = LineFile::new(directory.path().join("file"));
        assert!(file.read_last(10).await.unwrap().bytes.is_empty());
        file.append("one\ntwo\nthree\n".into(), Syncing::Later).await.unwrap();
        // A line whose beginning is not in it counts as cut, even where nothing is missing.
        for (bytes, expected) in [(1, ""), (6, ""), (7, "three\n"), (10, "three\n"), (11, "two\nthree\n")] {
            let tail = file.read_last(bytes).await.unwrap();
            assert_eq!(String::from_utf8(tail.bytes).unwrap(), expected, "{bytes}");
        }
        assert_eq!(file.read_last(99).await.unwrap().lines().count(), 3);
    }

    #[tokio::test]
    async fn a_long_file_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let file = LineFile::new(directory.path().join("file"));
        let former = directory.path().join("former");
        file.set_aside(1, former.clone()).await.unwrap();
        file.append("one\n".into(), Syncing::Later).await.unwrap();
        file.set_aside(5, former.clone()).await.unwrap();
        assert!(!former.exists());
        file.set_aside(4, former.clone()).await.unwrap();
        file.append("two\n".into(), Syncing::Later).await.unwrap();
        assert_eq!(lines(&file).await, ["two"]);
        assert_eq!(lines(&LineFile::new(former)).await, ["one"]);
    }
}
