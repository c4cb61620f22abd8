//! The journal of ends: a file outside the database with every act that narrowed or ended access (docs/RECOVERY.md).
//!
//! Append-only, one line of canonical JSON for each end, synced before the end is acknowledged. A database that was turned
//! back lacks ends that the journal has; they are replayed from it. It holds identifiers and no personal data of subjects.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::json;

use super::record;
use crate::{
    domain::{Timestamp, canonical::canonical},
    store::line_file::{LineFile, Syncing},
};

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
pub struct EndJournal(LineFile);

impl EndJournal {
    /// The journal at `path`, which need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self(LineFile::new(path))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Appends ends and syncs them.
    pub async fn append(&self, ends: &[EndRow]) -> io::Result<()> {
        let mut text = String::new();
        for end in ends {
            text.push_str(&end.line()?);
            text.push('\n');
        }
        self.0.append(text, Syncing::Now).await
    }

    /// Reads what was added after a position; everything when the file is shorter than that.
    pub async fn read_from(&self, position: u64) -> io::Result<JournalTail> {
        let tail = self.0.read_from(position).await?;
        let ends = tail.lines().filter_map(|line| serde_json::from_slice(line).ok()).collect();
        Ok(JournalTail { ends, position: tail.position, restarted: tail.restarted })
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
