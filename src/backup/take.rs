//! Taking a backup.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    archive::{ArchiveWriter, Sink},
    error::BackupError,
    manifest::Manifest,
};
use crate::{
    config::KeyEncryptionKey,
    domain::Actor,
    ledger::{self, Action, Change},
    store::{Engine, Env, JobLock, SQLITE_FILES, TableColumns},
};

/// Rows of a table are collected to members of about this size.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// The beginning of the names of directories with SQLite's copies.
const COPIES: &str = "backup-";

/// A backup that was taken.
#[derive(Debug)]
pub struct Taken {
    pub manifest: Manifest,
    /// The archive's length in bytes.
    pub length: u64,
}

/// Copies the store into an archive, encrypted to a key if one is given. Gateways may run meanwhile.
pub async fn take(
    env: &Env,
    actor: &Actor,
    archive: &Path,
    key: Option<&KeyEncryptionKey>,
) -> Result<Taken, BackupError> {
    if archive.exists() {
        return Err(BackupError::Exists(archive.to_owned()));
    }
    let _lock = JobLock::try_acquire(&env.db, "backup").await?.ok_or(BackupError::Running)?;
    // Under a temporary name: a crash leaves no file that looks like a backup. The mode of such a file is 0600.
    let directory = directory_of(archive);
    let file = tempfile::Builder::new().prefix(".medcredit-backup-").tempfile_in(&directory);
    let file = file.map_err(BackupError::at(&directory))?;
    record(env, actor, archive, key.is_some()).await?;
    let handle = file.reopen().map_err(BackupError::at(file.path()))?;
    let sink = Sink::new(handle, key, &*env.entropy).map_err(BackupError::at(file.path()))?;
    let writer = ArchiveWriter::new(sink, u64::try_from(env.clock.now().seconds()).unwrap_or(0));
    let manifest = match env.db.engine() {
        Engine::Sqlite => files(env, writer).await?,
        Engine::Postgres => tables(env, writer).await?,
    };
    // The file is on disk; with its name and the directory's entry it is a backup. Another file of this name is not
    // replaced.
    let length = file.as_file().metadata().map_err(BackupError::at(file.path()))?.len();
    file.persist_noclobber(archive).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(archive.to_owned()),
        _ => BackupError::at(archive)(error.error),
    })?;
    File::open(&directory).and_then(|directory| directory.sync_all()).map_err(BackupError::at(&directory))?;
    Ok(Taken { manifest, length })
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The entry, before anything is copied: no copy of everything exists that the ledger does not show, and the copy contains
/// its own entry.
async fn record(env: &Env, actor: &Actor, archive: &Path, is_encrypted: bool) -> Result<(), BackupError> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let mut tx = env.db.begin("backup::take").await?;
    let change = Change::of(json!({ "encrypted": is_encrypted }));
    ledger::audit(&mut tx, env, actor, Action::BackupTaken, Some(&name), change).await?;
    Ok(tx.commit().await?)
}

async fn files(env: &Env, mut writer: ArchiveWriter) -> Result<Manifest, BackupError> {
    let store = env.db.directory().ok_or_else(|| BackupError::Archive("the store has no directory".into()))?;
    remove_leftovers(store).map_err(BackupError::at(store))?;
    // Beside the files that they are copies of: nobody can read them who cannot read those.
    let copies = tempfile::Builder::new().prefix(COPIES).tempdir_in(store).map_err(BackupError::at(store))?;
    let at = env.clock.now();
    let facts = env.db.copy_files(copies.path()).await?;
    for name in SQLITE_FILES {
        let path = copies.path().join(name);
        let file = File::open(&path).map_err(BackupError::at(&path))?;
        let length = file.metadata().map_err(BackupError::at(&path))?.len();
        writer.add(name, length, file).map_err(BackupError::at(&path))?;
    }
    let manifest = Manifest::of(Engine::Sqlite, facts, &[], at);
    writer.finish(manifest).map_err(BackupError::at("the archive"))
}

/// Removes the copies of a backup that was killed. They belong to no running process: the caller holds the lock.
fn remove_leftovers(store: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(store)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(COPIES) && entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

async fn tables(env: &Env, mut writer: ArchiveWriter) -> Result<Manifest, BackupError> {
    let at = env.clock.now();
    let mut snapshot = env.db.begin_snapshot().await?;
    let facts = snapshot.facts().await?;
    let tables = snapshot.tables().await?;
    for table in &tables {
        let mut parts = Parts { writer: &mut writer, table, number: 0, rows: Vec::new() };
        snapshot.copy_out(table, &mut |row| parts.add(row)).await?;
        parts.finish().map_err(BackupError::at("the archive"))?;
    }
    let manifest = Manifest::of(Engine::Postgres, facts, &tables, at);
    writer.finish(manifest).map_err(BackupError::at("the archive"))
}

/// The rows of one table, as members of whole rows.
struct Parts<'a> {
    writer: &'a mut ArchiveWriter,
    table: &'a TableColumns,
    number: u32,
    rows: Vec<u8>,
}

impl Parts<'_> {
    fn add(&mut self, row: &[u8]) -> io::Result<()> {
        self.rows.extend_from_slice(row);
        if self.rows.len() < PART_BYTES {
            return Ok(());
        }
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let name = format!("{}/{:06}", self.table.name, self.number);
        self.writer.add(&name, self.rows.len() as u64, &*self.rows)?;
        self.rows.clear();
        self.number += 1;
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        if self.rows.is_empty() { Ok(()) } else { self.write() }
    }
}
