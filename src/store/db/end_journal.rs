//! The journal of ends: a file outside the database with every act that narrowed or ended access (docs/RECOVERY.md).
//!
//! Append-only, one line of canonical JSON for each end, synced before the end is acknowledged. A database that was turned
//! back lacks ends that the journal has; they are replayed from it. It holds identifiers and no personal data of subjects.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::json;

use super::record;
use crate::domain::{Timestamp, canonical::canonical};

/// An end about to be committed.
#[derive(Debug, Clone)]
pub struct NewEnd {
    /// The ledger entry of the act.
    pub id: String,
    /// What was done, as in `client_suspended`.
    pub kind: String,
    /// Whose access ended.
    pub target: String,
    /// Particulars for a replay, a JSON object.
    pub detail: String,
    pub actor: String,
    pub at: Timestamp,
}

record! {
    /// A committed end.
    #[derive(PartialEq, Eq, Deserialize)]
    pub struct EndRow {
        /// Its position among all ends of the database.
        pub number: i64,
        pub id: String,
        /// The epoch of the ledger.
        pub epoch: i64,
        pub kind: String,
        pub target: String,
        pub detail: String,
        pub actor: String,
        pub at: i64,
    }
}

impl EndRow {
    /// An end with the number and the epoch that the database gave it.
    pub(super) fn numbered(end: NewEnd, number: i64, epoch: i64) -> Self {
        let NewEnd { id, kind, target, detail, actor, at } = end;
        Self { number, id, epoch, kind, target, detail, actor, at: at.micros() }
    }

    fn line(&self) -> io::Result<String> {
        let Self { number, id, epoch, kind, target, detail, actor, at } = self;
        let value = json!({ "number": number, "id": id, "epoch": epoch, "kind": kind, "target": target, "detail": detail, "actor": actor, "at": at });
        canonical(&value).map_err(io::Error::other)
    }
}

/// What was added to the journal since it was read last.
#[derive(Debug, Default)]
pub struct JournalTail {
    pub ends: Vec<EndRow>,
    /// The position to continue at.
    pub position: u64,
    /// The file is shorter than it was, so `ends` are all that it holds.
    pub restarted: bool,
}

/// The journal. Cheap to clone; several processes of a machine may share the file.
#[derive(Debug, Clone)]
pub struct EndJournal(Arc<Path>);

impl EndJournal {
    /// The journal at `path`, which need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Appends ends and syncs them.
    pub async fn append(&self, ends: &[EndRow]) -> io::Result<()> {
        let mut text = String::new();
        for end in ends {
            text.push_str(&end.line()?);
            text.push('\n');
        }
        let path = self.0.clone();
        blocking(move || append(&path, &text)).await
    }

    /// Reads what was added after a position; everything when the file is shorter than that.
    pub async fn read_from(&self, position: u64) -> io::Result<JournalTail> {
        let path = self.0.clone();
        blocking(move || read_from(&path, position)).await
    }

    /// Every end in it, each once, in the order in which they were committed.
    pub async fn read(&self) -> io::Result<Vec<EndRow>> {
        let ends = self.read_from(0).await?.ends;
        // Two processes may both have appended an end that they learned of.
        let once: HashMap<_, _> = ends.into_iter().map(|end| (end.id.clone(), end)).collect();
        let mut ends: Vec<_> = once.into_values().collect();
        ends.sort_by_key(|end| (end.epoch, end.number));
        Ok(ends)
    }
}

// File operations and the lock may block for long: on a runtime thread they would stall the answers.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(directory)?;
    let is_new = !path.exists();
    // It names banks and consents: for the gateway's user alone.
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    if is_new {
        // Of an operator's command as root, the gateway could not read it and would refuse data. Others may give nothing away.
        let owner = std::fs::metadata(directory)?;
        let _ = fchown(&file, Some(owner.uid()), Some(owner.gid()));
    }
    // Until the file is closed: nobody else appends between the look at its last byte and the write.
    file.lock()?;
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    // A crash in the middle of a line has left a part of it, whose end was never acknowledged: it must not swallow this one.
    let text = if last == [b'\n'] { text.to_owned() } else { format!("\n{text}") };
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    if is_new {
        // Otherwise a power failure could lose the name of the file with all that is in it.
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn read_from(path: &Path, position: u64) -> io::Result<JournalTail> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(JournalTail { restarted: position > 0, ..JournalTail::default() });
        }
        Err(error) => return Err(error),
    };
    let restarted = file.metadata()?.len() < position;
    let position = if restarted { 0 } else { position };
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // A line without its end is being written, or was cut off by a crash.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let ends = bytes.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n');
    let ends = ends.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    Ok(JournalTail { ends, position: position + u64::try_from(whole).unwrap_or(0), restarted })
}

#[cfg(test)]
mod tests {
    use super::{EndJournal, EndRow};

    fn end(number: i64) -> EndRow {
        EndRow {
            number,
            id: format!("ent_{number}"),
            epoch: 1,
            kind: "client_suspended".into(),
            target: "cli_1".into(),
            detail: "{}".into(),
            actor: "operator:li".into(),
            at: 7,
        }
    }

    #[tokio::test]
    async fn what_a_crash_cut_off_hides_no_other_line() {
        let directory = tempfile::tempdir().unwrap();
        let journal = EndJournal::new(directory.path().join("below/journal"));
        assert!(journal.read().await.unwrap().is_empty());
        journal.append(&[end(1), end(2)]).await.unwrap();
        let whole = std::fs::read_to_string(journal.path()).unwrap();
        std::fs::write(journal.path(), &whole[..whole.len() - 9]).unwrap();
        assert_eq!(journal.read().await.unwrap(), [end(1)]);
        journal.append(&[end(3), end(1)]).await.unwrap();
        assert_eq!(journal.read().await.unwrap(), [end(1), end(3)]);
    }

    #[tokio::test]
    async fn a_journal_belongs_to_the_owner_of_its_directory() {
        use std::os::unix::fs::{MetadataExt as _, chown};
        // An operator's command that runs as root before the gateway's first end. Another user can only test his own files.
        let directory = tempfile::tempdir().unwrap();
        let _ = chown(directory.path(), Some(65534), Some(65534));
        let owner = std::fs::metadata(directory.path()).unwrap();
        let journal = EndJournal::new(directory.path().join("journal"));
        journal.append(&[end(1)]).await.unwrap();
        let made = std::fs::metadata(journal.path()).unwrap();
        assert_eq!((made.uid(), made.gid(), made.mode() & 0o777), (owner.uid(), owner.gid(), 0o600));
    }

    #[tokio::test]
    async fn a_journal_is_read_on_from_where_the_last_reading_ended() {
        let directory = tempfile::tempdir().unwrap();
        let journal = EndJournal::new(directory.path().join("journal"));
        journal.append(&[end(1)]).await.unwrap();
        let first = journal.read_from(0).await.unwrap();
        assert_eq!((first.ends.as_slice(), first.restarted), (&[end(1)][..], false));
        journal.append(&[end(2)]).await.unwrap();
        let second = journal.read_from(first.position).await.unwrap();
        assert_eq!((second.ends.as_slice(), second.restarted), (&[end(2)][..], false));
        assert!(journal.read_from(second.position).await.unwrap().ends.is_empty());
        std::fs::remove_file(journal.path()).unwrap();
        assert!(journal.read_from(second.position).await.unwrap().restarted);
        journal.append(&[end(3)]).await.unwrap();
        let third = journal.read_from(second.position).await.unwrap();
        assert_eq!((third.ends.as_slice(), third.restarted), (&[end(3)][..], true));
    }
}
