//! Copies the receiver's answers into the directory of our own. Nothing on the server is changed.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use russh_sftp::client::{SftpSession, error::Error as SftpError};
use tokio::io::AsyncReadExt as _;

use super::{
    super::{
        super::{Failed, FailureReason},
        Target,
        disk::{create, disk_failed, remove},
        listing::{Answers, LARGEST_FILE},
    },
    Remote,
    connection::connect,
    error::{is_missing, sftp_failed},
};

/// A file on the server.
struct Answer {
    name: String,
    size: u64,
    /// Seconds since the epoch.
    modified: u64,
}

impl Remote {
    /// Copies the answers that are new or have changed, and removes those that are gone.
    pub(in super::super) async fn mirror(&self, target: &Target, answers: &Answers) -> Result<(), Failed> {
        let connection = connect(&self.settings, &self.host_key).await?;
        let found = self.list(&connection.sftp, answers).await?;
        let directory = target.directory.join("receipts");
        let read = |error| disk_failed(&error, "reading", &directory);
        for entry in fs::read_dir(&directory).map_err(read)? {
            let path = entry.map_err(read)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if answers.has(&name) && !found.iter().any(|answer| *answer.name == *name) {
                remove(&path).map_err(|error| disk_failed(&error, "removing", &path))?;
            }
        }
        for answer in found {
            self.copy(&connection.sftp, &answer, &directory).await?;
        }
        Ok(())
    }

    async fn list(&self, sftp: &SftpSession, answers: &Answers) -> Result<Vec<Answer>, Failed> {
        let path = self.path("receipts");
        let entries = match sftp.read_dir(&path).await {
            Ok(entries) => entries,
            // Without a receipt so far; the directory itself must be there.
            Err(error) if is_missing(&error) => {
                let directory = self.path("");
                let there = sftp.metadata(&directory).await;
                there.map_err(|error| sftp_failed(&error, "opening", &directory))?;
                return Ok(Vec::new());
            }
            Err(error) => return Err(sftp_failed(&error, "reading", &path)),
        };
        let of_ours = entries.filter(|entry| {
            let name = entry.file_name();
            // A name with a folder in it could make us write outside of ours.
            entry.file_type().is_file() && answers.has(&name) && !name.contains(['/', '\0'])
        });
        let answer = |entry: russh_sftp::client::fs::DirEntry| {
            let found = entry.metadata();
            let modified = u64::from(found.mtime.unwrap_or(0));
            Answer { name: entry.file_name(), size: found.size.unwrap_or(0), modified }
        };
        Ok(of_ours.map(answer).collect())
    }

    async fn copy(&self, sftp: &SftpSession, answer: &Answer, directory: &Path) -> Result<(), Failed> {
        let (path, from) = (directory.join(&answer.name), self.path(&format!("receipts/{}", answer.name)));
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(answer.modified);
        let same = fs::metadata(&path)
            .is_ok_and(|found| found.len() == answer.size && found.modified().is_ok_and(|at| at == modified));
        if same {
            return Ok(());
        }
        if answer.size > LARGEST_FILE {
            let why = format!(
                "{from} has {} bytes, and at most {LARGEST_FILE} are read: have the receiver write several files",
                answer.size
            );
            return Err(Failed::passing(FailureReason::TooLarge, why));
        }
        // A name that no answer has.
        let new = directory.join("copy.new");
        let here = |error| disk_failed(&error, "writing", &new);
        let there = |error: &SftpError| sftp_failed(error, "reading", &from);
        let mut file = create(&new).map_err(here)?;
        let mut remote = sftp.open(&from).await.map_err(|error| there(&error))?;
        let mut block = vec![0; 256 << 10];
        let mut left = answer.size;
        while left > 0 {
            let length = remote.read(&mut block).await.map_err(|error| there(&error.into()))?;
            if length == 0 {
                break;
            }
            // A file that grows while it is read is read again: its size has changed.
            let part = length.min(usize::try_from(left).unwrap_or(length));
            std::io::Write::write_all(&mut file, &block[..part]).map_err(here)?;
            left -= u64::try_from(part).unwrap_or(left);
        }
        keep(&file, &new, &path, modified).map_err(here)
    }
}

/// Marks a copy with the time of the original, and gives it its name.
fn keep(file: &File, new: &Path, path: &Path, modified: SystemTime) -> std::io::Result<()> {
    file.set_modified(modified)?;
    fs::rename(new, path)
}
