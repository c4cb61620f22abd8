//! Brings the files of a completed package to the server.

use std::{fs::File, path::Path};

use aws_lc_rs::digest::{Context, SHA256};
use russh_sftp::client::{SftpSession, error::Error as SftpError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    super::{
        super::{Failed, FailureReason},
        DiskFaults, DiskStep, apart,
        disk::{disk_failed, lock_named, remove, rename, write_new},
        names::FileNames,
    },
    Remote,
    connection::connect,
    error::{is_missing, sftp_failed},
};

/// How much is read and written at a time.
const BLOCK: usize = 256 << 10;

/// A file of the package, here and there.
struct Piece<'a> {
    local: &'a Path,
    temporary: String,
    path: String,
}

impl Remote {
    /// Brings the data and the manifest over, unless this was done.
    pub(in super::super) async fn publish(&self, names: &FileNames, faults: &DiskFaults) -> Result<(), Failed> {
        let _lock = self.lock(names).await?;
        let (publishing, published) = (names.publishing_path(), names.published_path());
        if published.exists() {
            // What a killed attempt has left.
            return remove_staged(names);
        }
        let (data, manifest) = (names.data_path(), names.manifest_path());
        let data = self.piece(&data, &names.data);
        let manifest = self.piece(&manifest, &names.manifest());
        let connection = connect(&self.settings, &self.host_key).await?;
        let sftp = &connection.sftp;
        if !publishing.exists() {
            if !is_there(sftp, &data).await? {
                upload(sftp, &data, faults).await?;
                put_name(sftp, &data, faults).await?;
            }
            upload(sftp, &manifest, faults).await?;
            record(names, &publishing, faults)?;
        }
        // Gone, it has got its name in an attempt whose outcome was not seen: the receiver may have taken it away.
        if size(sftp, &manifest.temporary).await?.is_some() {
            put_name(sftp, &manifest, faults).await?;
        }
        record(names, &published, faults)?;
        remove_staged(names)
    }

    fn piece<'a>(&self, local: &'a Path, name: &str) -> Piece<'a> {
        Piece { local, temporary: self.path(&format!("{name}.tmp")), path: self.path(name) }
    }

    /// Two attempts never bring the same package over at the same time.
    async fn lock(&self, names: &FileNames) -> Result<File, Failed> {
        let work = names.work();
        apart(move || lock_named(&work, "publish-lock").map_err(|error| disk_failed(&error, "locking", &work))).await
    }
}

/// Records a step in the directory of unfinished files.
fn record(names: &FileNames, path: &Path, faults: &DiskFaults) -> Result<(), Failed> {
    let new = names.work().join("record.new");
    let written = write_new(&new, [b"", b""], faults).and_then(|()| rename(&new, path, faults));
    written.map_err(|error| disk_failed(&error, "writing", path))
}

/// Removes the files that were brought over.
fn remove_staged(names: &FileNames) -> Result<(), Failed> {
    for path in [names.data_path(), names.manifest_path()] {
        remove(&path).map_err(|error| disk_failed(&error, "removing", &path))?;
    }
    Ok(())
}

/// The size of a file on the server; none if it is not there.
async fn size(sftp: &SftpSession, path: &str) -> Result<Option<u64>, Failed> {
    match sftp.symlink_metadata(path).await {
        Ok(found) => Ok(Some(found.size.unwrap_or(0))),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(sftp_failed(&error, "looking for", path)),
    }
}

/// Whether an earlier attempt has brought a file over. Another file of its name is an error.
async fn is_there(sftp: &SftpSession, piece: &Piece<'_>) -> Result<bool, Failed> {
    let Some(length) = size(sftp, &piece.path).await? else { return Ok(false) };
    let local = tokio::fs::metadata(piece.local).await.map_err(|error| disk_failed(&error, "reading", piece.local))?;
    if length == local.len() && digest_there(sftp, &piece.path).await? == digest_here(piece.local).await? {
        return Ok(true);
    }
    let why = format!(
        "{} is there with other content, and is not replaced: have the receiver move it away if it is not its own",
        piece.path
    );
    Err(Failed::passing(FailureReason::Conflict, why))
}

async fn digest_there(sftp: &SftpSession, path: &str) -> Result<Vec<u8>, Failed> {
    let failed = |error: &SftpError| sftp_failed(error, "reading", path);
    let mut file = sftp.open(path).await.map_err(|error| failed(&error))?;
    digest_of(&mut file).await.map_err(|error| failed(&error.into()))
}

async fn digest_here(path: &Path) -> Result<Vec<u8>, Failed> {
    let failed = |error: std::io::Error| disk_failed(&error, "reading", path);
    let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
    digest_of(&mut file).await.map_err(failed)
}

async fn digest_of(file: &mut (impl tokio::io::AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let (mut context, mut block) = (Context::new(&SHA256), vec![0; BLOCK]);
    loop {
        match file.read(&mut block).await? {
            0 => return Ok(context.finish().as_ref().to_vec()),
            length => context.update(&block[..length]),
        }
    }
}

/// Writes a file to its temporary name. What an earlier attempt left there is replaced.
async fn upload(sftp: &SftpSession, piece: &Piece<'_>, faults: &DiskFaults) -> Result<(), Failed> {
    let path = piece.temporary.as_str();
    let here = |error: std::io::Error| disk_failed(&error, "reading", piece.local);
    let mut from = tokio::fs::File::open(piece.local).await.map_err(here)?;
    let mut to = sftp.create(path).await.map_err(|error| sftp_failed(&error, "creating", path))?;
    let mut block = vec![0; BLOCK];
    let mut written = 0;
    let sent: Result<(), SftpError> = loop {
        let length = from.read(&mut block).await.map_err(here)?;
        if length == 0 {
            break Ok(());
        }
        if let Err(error) = to.write_all(&block[..length]).await {
            break Err(error.into());
        }
        written += u64::try_from(length).unwrap_or(0);
    };
    let sent = match sent {
        Ok(()) => match to.sync_all().await {
            Ok(()) => to.close().await.map_err(SftpError::from),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    if let Err(error) = sent {
        return Err(unwritten(sftp, &error, path).await);
    }
    // What the server stored, and not what it acknowledged.
    let found = size(sftp, path).await?;
    if found != Some(written) {
        let why = format!("{path} has {found:?} bytes of {written} on the server: it did not store the file");
        return Err(Failed::passing(FailureReason::Disk, why));
    }
    faults.at(DiskStep::Uploaded).map_err(|error| disk_failed(&error, "bringing over", piece.local))
}

/// Why a file could not be written. A full disk has no code of its own in SFTP.
async fn unwritten(sftp: &SftpSession, error: &SftpError, path: &str) -> Failed {
    let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let disk = sftp.fs_info(folder).await.ok().flatten();
    if disk.is_some_and(|disk| disk.blocks_avail == 0) {
        let why = format!("writing {path}: the server's disk is full: have its operator make room");
        return Failed::passing(FailureReason::DiskFull, why);
    }
    // The library returns a refused write as an error of the connection, which still answers.
    if matches!(error, SftpError::IO(_)) && size(sftp, path).await.is_ok() {
        let why =
            format!("writing {path}: the server refuses it ({error}): its disk or our user's share of it may be full");
        return Failed::passing(FailureReason::Disk, why);
    }
    sftp_failed(error, "writing", path)
}

/// Gives a complete file its name.
async fn put_name(sftp: &SftpSession, piece: &Piece<'_>, faults: &DiskFaults) -> Result<(), Failed> {
    let Piece { temporary, path, local } = piece;
    let renamed = sftp.rename(temporary, path).await;
    renamed.map_err(|error| sftp_failed(&error, "renaming", &format!("{temporary} to {path}")))?;
    faults.at(DiskStep::Published).map_err(|error| disk_failed(&error, "bringing over", local))
}
