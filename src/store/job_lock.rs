//! Work of which a store admits one at a time, whichever process does it, such as an import.
//!
//! The lock ends with its holder, however that ends: on SQLite it is the operating system's lock on a file beside the
//! store's, on PostgreSQL an advisory lock of a transaction that does nothing else. So whoever holds it knows that
//! remains of earlier work belong to nobody any more.

use std::{fs::File, path::PathBuf};

use super::{Db, DbError, Tx, args};

/// A little patience on PostgreSQL: a dropped transaction ends when its connection is next looked after.
const SHORT_WAIT: &str = "/* job_lock::short_wait */ SET LOCAL lock_timeout = '500ms'";
const LOCK: &str = "/* job_lock::lock */ SELECT pg_advisory_xact_lock(hashtextextended('medcredit:' || $1, 0))";

/// A file with the operating system's lock on it.
///
/// Closing it is not enough: a process that is just being begotten has it open, too, until it becomes its own program.
#[derive(Debug)]
struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        // One that cannot be unlocked ends when it is closed.
        let _ = self.0.unlock();
    }
}

/// The right to do one kind of work alone. Dropped, it is free for others.
#[derive(Debug)]
pub struct Exclusive(Held);

#[derive(Debug)]
enum Held {
    File(Locked),
    Tx(Tx),
}

impl Exclusive {
    /// Takes the lock of a name, or tells that another holds it.
    pub async fn try_take(db: &Db, name: &'static str) -> Result<Option<Self>, DbError> {
        let Some(directory) = db.directory() else {
            let mut tx = db.begin("exclusive").await?;
            tx.may_be_silent().await?;
            tx.execute(SHORT_WAIT, args![]).await?;
            return match tx.execute(LOCK, args![name]).await {
                Ok(_) => Ok(Some(Self(Held::Tx(tx)))),
                Err(error) if error.is_contention() => Ok(None),
                Err(error) => Err(error),
            };
        };
        let path: PathBuf = directory.join(format!("{name}.lock"));
        let failed = |error: std::io::Error| DbError::Setup(format!("{}: {error}", path.display()));
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(Held::File(Locked(file))))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Gives the lock up, and returns when it is free. A drop frees it too, on PostgreSQL only some time after.
    pub async fn release(self) -> Result<(), DbError> {
        match self.0 {
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
    use super::{Db, Exclusive, Held, Locked};

    #[tokio::test]
    async fn a_dropped_lock_is_free_though_its_file_is_still_open() {
        // As in a process begotten a moment ago, which has every file open that this one had.
        let directory = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(directory.path()).await.unwrap();
        let take = async || Exclusive::try_take(&db, "work").await.unwrap();
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
