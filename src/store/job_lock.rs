//! A lock for a kind of work that only one process may do at a time, such as an import.
//!
//! The lock ends with its holder, even if that is killed: on SQLite it is a file lock of the operating system in the store's
//! directory, on PostgreSQL an advisory lock of a transaction that does nothing else. So its holder knows that leftovers of
//! earlier work belong to no running process.

use std::{fs::File, path::PathBuf};

use super::{Db, DbError, Tx, args};

/// Waits briefly on PostgreSQL: a dropped transaction ends only when its connection is next used.
const SHORT_WAIT: &str = "/* job_lock::short_wait */ SET LOCAL lock_timeout = '500ms'";
const LOCK: &str = "/* job_lock::lock */ SELECT pg_advisory_xact_lock(hashtextextended('medcredit:' || $1, 0))";

/// A locked file.
///
/// Unlocked explicitly, because closing is not enough: a child process between fork and exec still has the file open.
#[derive(Debug)]
struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        // If unlocking fails, the lock ends when the file is closed.
        let _ = self.0.unlock();
    }
}

/// The lock for a kind of work, released when dropped.
#[derive(Debug)]
pub struct JobLock(Held);

#[derive(Debug)]
enum Held {
    File(Locked),
    Tx(Tx),
}

impl JobLock {
    /// Acquires the lock with a name; `None` when another process holds it.
    pub async fn try_acquire(db: &Db, name: &'static str) -> Result<Option<Self>, DbError> {
        let Some(directory) = db.directory() else {
            let mut tx = db.begin("exclusive").await?;
            // The transaction is idle for as long as the job runs on other connections.
            tx.allow_idle().await?;
            tx.execute(SHORT_WAIT, args![]).await?;
            return match tx.execute(LOCK, args![name]).await {
                Ok(_) => Ok(Some(Self(Held::Tx(tx)))),
                Err(error) if error.is_contention() => Ok(None),
                Err(error) => Err(error),
            };
        };
        let path: PathBuf = directory.join(format!("{name}.lock"));
        let failed = |error: std::io::Error| DbError::Setup(format!("{}: {error}", path.display()));
        // The file stays: were it removed, a second process could lock a new file of the same name beside the holder.
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(Held::File(Locked(file))))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Releases the lock and returns when it is free. Dropping it releases it, too, on PostgreSQL with some delay.
    pub async fn release(self) -> Result<(), DbError> {
        match self.0 {
            // Nothing is to be committed, but a commit ends the transaction now, and a drop only when its connection is
            // next used.
            Held::Tx(tx) => tx.commit().await,
            Held::File(locked) => {
                drop(locked);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Db, Held, JobLock, Locked};

    #[tokio::test]
    async fn a_dropped_lock_is_free_though_its_file_is_still_open() {
        // As in a child process between fork and exec, which has every file of its parent open.
        let directory = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(directory.path()).await.unwrap();
        let take = async || JobLock::try_acquire(&db, "work").await.unwrap();
        let first = take().await.expect("nobody holds it");
        let Held::File(Locked(file)) = &first.0 else { panic!("a file of SQLite's") };
        let open = file.try_clone().unwrap();
        assert!(take().await.is_none(), "held");
        drop(first);
        let second = take().await.expect("nobody holds it any more");
        second.release().await.unwrap();
        assert!(take().await.is_some(), "given back");
        drop(open);
    }
}
