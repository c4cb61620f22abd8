//! Returning a backup into an empty store.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use tokio::sync::mpsc;

use super::{archive, error::BackupError, manifest::Manifest};
use crate::{
    config::KeyEncryptionKey,
    store::{Db, Engine, RESTORING, SQLITE_FILES, TableColumns, migrations, restoration},
};

/// Parts that are read ahead of the database.
const READ_AHEAD: usize = 2;

/// Opens an archive and verifies all of it: format, encryption, digests, and that this build knows its schema.
pub fn open_archive(path: &Path, keys: &[KeyEncryptionKey]) -> Result<(File, Manifest), BackupError> {
    let file = File::open(path).map_err(BackupError::at(path))?;
    let manifest = archive::read(&file, keys, &mut |_, _| Ok(()))?;
    migrations::check_known(&manifest.migrations)?;
    Ok((file, manifest))
}

fn changed() -> BackupError {
    BackupError::Archive("it was changed while it was restored".into())
}

/// Restores a verified archive of SQLite into a directory.
///
/// The files are prepared in a directory beside their places and then renamed, `core.db` last: without it there is no store,
/// and [`Db::open_sqlite`] refuses to make one there until the restore was run again.
pub fn restore_files(
    archive: &File,
    manifest: &Manifest,
    keys: &[KeyEncryptionKey],
    directory: &Path,
) -> Result<(), BackupError> {
    manifest.check_engine(Engine::Sqlite)?;
    let names: Vec<&str> = manifest.members.iter().map(|member| member.name.as_str()).collect();
    if names != SQLITE_FILES {
        return Err(BackupError::Archive("it has other files than a store of SQLite".into()));
    }
    let staging = directory.join(RESTORING);
    empty(directory, &staging)?;
    // Private from the start, like a store that the gateway makes.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&staging).map_err(BackupError::at(&staging))?;
    sync(directory)?;
    let again = archive::read(archive, keys, &mut |name, content| {
        let path = staging.join(name);
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.map_err(BackupError::at(&path))?;
        io::copy(content, &mut file).and_then(|_| file.sync_all()).map_err(BackupError::at(&path))
    })?;
    if again != *manifest {
        return Err(changed());
    }
    sync(&staging)?;
    for name in SQLITE_FILES.iter().rev() {
        let path = directory.join(name);
        fs::rename(staging.join(name), &path).map_err(BackupError::at(&path))?;
        // Each on disk before the next: a crash never leaves `core.db` alone.
        sync(directory)?;
    }
    fs::remove_dir(&staging).map_err(BackupError::at(&staging))?;
    sync(directory)
}

/// Refuses a directory with a store, and removes what an interrupted restore left behind.
fn empty(directory: &Path, staging: &Path) -> Result<(), BackupError> {
    let core = directory.join("core.db");
    let is_interrupted = staging.exists() && !core.exists();
    if is_interrupted {
        fs::remove_dir_all(staging).map_err(BackupError::at(staging))?;
    }
    for name in SQLITE_FILES {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let path = directory.join(format!("{name}{suffix}"));
            if !path.exists() {
                continue;
            }
            if !is_interrupted {
                return Err(BackupError::NotEmpty(path));
            }
            fs::remove_file(&path).map_err(BackupError::at(&path))?;
        }
    }
    Ok(())
}

fn sync(directory: &Path) -> Result<(), BackupError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(BackupError::at(directory))
}

/// Rows of a table.
struct Part {
    table: TableColumns,
    rows: Vec<u8>,
}

/// Restores a verified archive of PostgreSQL into an empty database, in one transaction.
pub async fn restore_tables(
    archive: File,
    manifest: &Manifest,
    keys: Vec<KeyEncryptionKey>,
    db: &Db,
) -> Result<(), BackupError> {
    manifest.check_engine(Engine::Postgres)?;
    let tables = manifest.table_columns();
    let mut restoration = restoration::begin(db, &manifest.migrations, &tables).await?;
    let (sender, mut parts) = mpsc::channel::<Part>(READ_AHEAD);
    // On a thread of its own: reading and decrypting block.
    let reading = tokio::task::spawn_blocking(move || {
        archive::read(&archive, &keys, &mut |name, content| {
            let of = name.split_once('/').and_then(|(of, _)| tables.iter().find(|table| table.name == of));
            let table = of.ok_or_else(|| BackupError::Archive(format!("its member {name} is of no table")))?.clone();
            let mut rows = Vec::new();
            content.read_to_end(&mut rows).map_err(BackupError::at(name))?;
            // The receiver is gone when the database has refused a part: its error is the one to report.
            sender.blocking_send(Part { table, rows }).map_err(|_| changed())
        })
    });
    while let Some(Part { table, rows }) = parts.recv().await {
        restoration.copy_in(&table, &rows).await?;
    }
    let again = reading.await.map_err(|error| BackupError::Archive(error.to_string()))??;
    if again != *manifest {
        return Err(changed());
    }
    Ok(restoration.commit().await?)
}
