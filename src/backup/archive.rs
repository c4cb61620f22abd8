//! The archive as a file: tar members with their digests, the manifest last, encrypted or not.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek as _, Write},
};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use super::{
    error::BackupError,
    manifest::{Manifest, Member},
    sealed::{MAGIC, OpeningReader, SealingWriter},
};
use crate::{config::KeyEncryptionKey, domain::Entropy};

/// The name of the last member.
pub(super) const MANIFEST: &str = "manifest.json";
/// No manifest is larger: it has a line for each member, and members are megabytes.
const LARGEST_MANIFEST: u64 = 256 * 1024 * 1024;

/// The file below the tar: plain, or encrypted.
pub(super) enum Sink {
    Plain(BufWriter<File>),
    Sealed(Box<SealingWriter<BufWriter<File>>>),
}

impl Sink {
    pub(super) fn new(file: File, key: Option<&KeyEncryptionKey>, entropy: &dyn Entropy) -> io::Result<Self> {
        let file = BufWriter::with_capacity(256 * 1024, file);
        match key {
            None => Ok(Self::Plain(file)),
            Some(key) => Ok(Self::Sealed(Box::new(SealingWriter::new(file, key, entropy)?))),
        }
    }

    /// Everything is in the file on return, and on disk.
    fn finish(self) -> io::Result<()> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Sealed(writer) => writer.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Sealed(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Sealed(writer) => writer.flush(),
        }
    }
}

/// Digests what is read through it.
struct Digesting<R> {
    inner: R,
    digest: Context,
    length: u64,
}

impl<R: Read> Digesting<R> {
    fn new(inner: R) -> Self {
        Self { inner, digest: Context::new(&SHA256), length: 0 }
    }

    fn member(self, name: String) -> Member {
        Member { name, length: self.length, sha256: HEXLOWER.encode(self.digest.finish().as_ref()) }
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.digest.update(&into[..read]);
        self.length += read as u64;
        Ok(read)
    }
}

/// An archive that is being written.
pub(super) struct ArchiveWriter {
    tar: tar::Builder<Sink>,
    at: u64,
    members: Vec<Member>,
}

impl ArchiveWriter {
    /// An archive whose members have the time `at`, in Unix seconds.
    pub(super) fn new(sink: Sink, at: u64) -> Self {
        Self { tar: tar::Builder::new(sink), at, members: Vec::new() }
    }

    fn header(&self, length: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        header.set_mtime(self.at);
        header
    }

    /// Adds a member of a known length.
    pub(super) fn add(&mut self, name: &str, length: u64, from: impl Read) -> io::Result<()> {
        let mut header = self.header(length);
        // One byte more than promised would be noticed too.
        let mut from = Digesting::new(from.take(length + 1));
        self.tar.append_data(&mut header, name, &mut from)?;
        if from.length != length {
            return Err(io::Error::other(format!("{name} has another length than {length}: it was changed meanwhile")));
        }
        self.members.push(from.member(name.to_owned()));
        Ok(())
    }

    /// Adds the manifest, and brings everything to disk.
    pub(super) fn finish(mut self, mut manifest: Manifest) -> io::Result<Manifest> {
        manifest.members = std::mem::take(&mut self.members);
        let text = serde_json::to_vec_pretty(&manifest)?;
        let mut header = self.header(text.len() as u64);
        self.tar.append_data(&mut header, MANIFEST, &*text)?;
        self.tar.into_inner()?.finish()?;
        Ok(manifest)
    }
}

/// Opens the tar in a file, from its beginning.
fn tar_of<'a>(mut file: &'a File, keys: &[KeyEncryptionKey]) -> io::Result<tar::Archive<Box<dyn Read + 'a>>> {
    let mut magic = [0; MAGIC.len()];
    file.rewind()?;
    let is_sealed = file.read_exact(&mut magic).is_ok() && magic == MAGIC;
    file.rewind()?;
    let buffered = BufReader::with_capacity(256 * 1024, file);
    if !is_sealed {
        return Ok(tar::Archive::new(Box::new(buffered)));
    }
    if keys.is_empty() {
        return Err(io::Error::other("it is encrypted: give the key file with --key-file"));
    }
    Ok(tar::Archive::new(Box::new(OpeningReader::new(buffered, keys)?)))
}

fn unusable(error: &io::Error) -> BackupError {
    BackupError::Archive(error.to_string())
}

/// Reads an archive to its end, checks every digest, and returns its manifest. `each` gets every other member and reads as
/// much of it as it wants.
pub(super) fn read(
    file: &File,
    keys: &[KeyEncryptionKey],
    each: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), BackupError>,
) -> Result<Manifest, BackupError> {
    let mut tar = tar_of(file, keys).map_err(|error| unusable(&error))?;
    let (mut found, mut manifest) = (Vec::new(), None);
    for entry in tar.entries().map_err(|error| unusable(&error))? {
        let entry = entry.map_err(|error| unusable(&error))?;
        if manifest.is_some() {
            return Err(BackupError::Archive("something follows its manifest".into()));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let length = entry.size();
        let mut entry = Digesting::new(entry);
        if name == MANIFEST {
            let mut text = Vec::new();
            (&mut entry).take(LARGEST_MANIFEST).read_to_end(&mut text).map_err(|error| unusable(&error))?;
            manifest = Some(Manifest::read(&text)?);
            continue;
        }
        each(&name, &mut entry)?;
        io::copy(&mut entry, &mut io::sink()).map_err(|error| unusable(&error))?;
        if entry.length != length {
            return Err(BackupError::Archive(format!("its member {name} is cut off")));
        }
        found.push(entry.member(name));
    }
    // To the end: what follows a tar's end could otherwise be cut off or added unseen.
    let manifest = manifest.ok_or_else(|| BackupError::Archive("it has no manifest: it is cut off".into()))?;
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(|error| unusable(&error))?;
    if found == manifest.members {
        return Ok(manifest);
    }
    let differs = manifest.members.iter().zip(&found).find(|(promised, member)| promised != member);
    Err(BackupError::Archive(match differs {
        Some((promised, _)) => format!("its member {} is not the one that its manifest names", promised.name),
        None => format!("it has {} members, and its manifest names {}", found.len(), manifest.members.len()),
    }))
}
