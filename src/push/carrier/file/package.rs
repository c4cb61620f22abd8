//! Writes the files of a package: its pages first, and when all are there the data file, the manifest, and the record that it is
//! closed.
//!
//! Every step may be the last one of a process. What it leaves is replaced or completed by the next attempt, which writes the
//! same bytes:
//!
//! 1. A page is written to the directory of unfinished files.
//! 2. With all pages there, they are joined under a temporary name, which is renamed to the data file.
//! 3. The manifest follows in the same way. From here on the receiver may take both away.
//! 4. The package is recorded as closed, and the pages are removed. An attempt after this writes nothing.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use super::{
    super::{Failed, FailureReason, PackageHead},
    DiskFaults, DiskStep, Target,
    disk::{create, create_work, disk_failed, lock, read, remove, rename, write_new},
    manifest::{Closed, Written, manifest},
    names::FileNames,
    part::Part,
    render::{footer, header},
};
use crate::outbox::Receipt;

/// The files of a package, under the lock of the directory.
#[derive(Debug)]
pub(super) struct PackageFiles<'a> {
    target: &'a Target,
    faults: &'a DiskFaults,
    names: &'a FileNames,
    head: &'a PackageHead,
    _lock: File,
}

impl<'a> PackageFiles<'a> {
    /// Takes the lock.
    pub(super) fn open(
        target: &'a Target,
        faults: &'a DiskFaults,
        names: &'a FileNames,
        head: &'a PackageHead,
    ) -> Result<Self, Failed> {
        let (directory, work) = (names.directory(), names.work());
        // Asked for by itself: below a mount that is missing, nothing must be created.
        let found = std::fs::metadata(&directory).map_err(|error| disk_failed(&error, "opening", &directory))?;
        if !found.is_dir() {
            return Err(disk_failed(&io::ErrorKind::NotADirectory.into(), "opening", &directory));
        }
        create_work(&work).map_err(|error| disk_failed(&error, "creating", &work))?;
        let lock = lock(&work).map_err(|error| disk_failed(&error, "locking", &work))?;
        faults.at(DiskStep::Locked).map_err(|error| disk_failed(&error, "locking", &work))?;
        Ok(Self { target, faults, names, head, _lock: lock })
    }

    /// Delivers a page, and closes the package if it was the last one that was missing.
    pub(super) fn deliver(&self, page: u32, part: &Part) -> Result<Receipt, Failed> {
        if let Some(closed) = self.closed()? {
            let index = usize::try_from(page).ok().and_then(|page| page.checked_sub(1));
            let same = index.and_then(|at| closed.pages.get(at)) == Some(&part.head.fingerprint);
            // What a killed attempt has left.
            self.remove_parts()?;
            return if same { Ok(self.receipt(Some(&closed.written))) } else { Err(self.other_page(page)) };
        }
        self.store(page, part)?;
        let is_there = |page: &u32| self.names.part_path(*page).exists();
        // From the last page: while pages arrive in their order, one look is enough.
        if (1..=self.head.pages).rev().all(|page| is_there(&page))
            && let Some(written) = self.close()?
        {
            return Ok(self.receipt(Some(&written)));
        }
        if page < self.head.pages {
            return Ok(self.receipt(None));
        }
        let missing: Vec<u32> = (1..=self.head.pages).filter(|page| !is_there(page)).collect();
        let why = format!(
            "package {} cannot be closed: {} of {} pages are missing, the first is page {}",
            self.head.number,
            missing.len(),
            self.head.pages,
            missing.first().unwrap_or(&1)
        );
        Err(Failed::passing(FailureReason::Incomplete, why))
    }

    fn receipt(&self, written: Option<&Written>) -> Receipt {
        Receipt {
            number: written.map(|_| self.names.data.clone()),
            body_sha256: written.map(|written| written.sha256.clone()),
            ..Receipt::default()
        }
    }

    fn other_page(&self, page: u32) -> Failed {
        let why = format!(
            "page {page} of package {} was delivered before with other rows: a package never changes, so make a new one",
            self.head.number
        );
        Failed::permanent(FailureReason::Conflict, why)
    }

    fn closed(&self) -> Result<Option<Closed>, Failed> {
        let path = self.names.closed_path();
        let bytes = read(&path).map_err(|error| disk_failed(&error, "reading", &path))?;
        let parse = |bytes: Vec<u8>| {
            serde_json::from_slice(&bytes).map_err(|error| {
                let why = format!(
                    "{} is damaged: {error}; compare with what the receiver has, then remove it",
                    path.display()
                );
                Failed::passing(FailureReason::Disk, why)
            })
        };
        bytes.map(parse).transpose()
    }

    /// Step 1: stores a page.
    fn store(&self, page: u32, part: &Part) -> Result<(), Failed> {
        let path = self.names.part_path(page);
        let failed = |error: &io::Error| disk_failed(error, "writing", &path);
        let before = read(&path).map_err(|error| failed(&error))?;
        // A damaged page is written again.
        if let Some(before) = before.and_then(Part::read) {
            return if before == *part { Ok(()) } else { Err(self.other_page(page)) };
        }
        let line = part.line().map_err(|error| failed(&error.into()))?;
        self.put(&path, [&line, &part.body]).map_err(|error| failed(&error))
    }

    /// Writes a file under a temporary name, and renames it.
    fn put(&self, path: &Path, pieces: [&[u8]; 2]) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let new = self.names.work().join(format!("{name}.new"));
        write_new(&new, pieces, self.faults)?;
        rename(&new, path, self.faults)
    }

    /// Writes a file, unless it is there with the same content.
    fn put_once(&self, path: &Path, bytes: serde_json::Result<Vec<u8>>) -> Result<(), Failed> {
        let failed = |error: io::Error| disk_failed(&error, "writing", path);
        let bytes = bytes.map_err(|error| failed(error.into()))?;
        match read(path).map_err(failed)? {
            None => self.put(path, [&[], &bytes]).map_err(failed),
            Some(before) if before == bytes => Ok(()),
            Some(_) => Err(conflict(path)),
        }
    }

    /// Steps 2 to 4. None where a page was damaged, and has to come again.
    fn close(&self) -> Result<Option<Written>, Failed> {
        let Some((written, pages)) = self.write_data()? else { return Ok(None) };
        let path = self.names.manifest_path();
        let bytes = manifest(self.target, self.head, self.names, &written);
        self.put_once(&path, bytes)?;
        let closed = Closed { written, pages };
        self.put_once(&self.names.closed_path(), serde_json::to_vec(&closed))?;
        self.remove_parts()?;
        Ok(Some(closed.written))
    }

    /// Step 2: joins the pages to the data file. Returns their fingerprints, too.
    fn write_data(&self) -> Result<Option<(Written, Vec<String>)>, Failed> {
        let (new, path) = (self.names.data_new(), self.names.data_path());
        let failed = |error: io::Error| disk_failed(&error, "writing", &new);
        let mut out = Digesting { file: create(&new).map_err(failed)?, context: Context::new(&SHA256), bytes: 0 };
        let (mut rows, mut fingerprints, mut columns) = (0, Vec::new(), None);
        for page in 1..=self.head.pages {
            let Some(part) = self.part(page)? else { return Ok(None) };
            if part.head.rows > 0 && columns.is_none() {
                out.write_all(&header(self.target, self.head, &part.head.columns)?).map_err(failed)?;
                columns = Some(part.head.columns.clone());
            } else if part.head.rows > 0 && columns.as_ref() != Some(&part.head.columns) {
                let why =
                    format!("page {page} of package {} has other columns than the pages before", self.head.number);
                return Err(Failed::permanent(FailureReason::Field, why));
            }
            out.write_all(&part.body).map_err(failed)?;
            if page == 1 {
                self.faults.at(DiskStep::HalfWritten).map_err(failed)?;
            }
            rows += part.head.rows;
            fingerprints.push(part.head.fingerprint);
        }
        if columns.is_none() {
            out.write_all(&header(self.target, self.head, &[])?).map_err(failed)?;
        }
        if rows != self.head.rows {
            let why = format!("package {} has {} rows, and its pages have {rows}", self.head.number, self.head.rows);
            return Err(Failed::permanent(FailureReason::Page, why));
        }
        out.write_all(footer(self.target)).map_err(failed)?;
        self.faults.at(DiskStep::Written).map_err(failed)?;
        out.file.sync_all().map_err(failed)?;
        self.faults.at(DiskStep::Synced).map_err(failed)?;
        let written = Written { rows, bytes: out.bytes, sha256: HEXLOWER.encode(out.context.finish().as_ref()) };
        // Somebody else's file of this name stays, and so does ours of an earlier attempt.
        match Digesting::of_file(&path).map_err(|error| disk_failed(&error, "reading", &path))? {
            None => rename(&new, &path, self.faults).map_err(|error| disk_failed(&error, "writing", &path))?,
            Some(sha256) if sha256 == written.sha256 => remove(&new).map_err(failed)?,
            Some(_) => {
                remove(&new).map_err(failed)?;
                return Err(conflict(&path));
            }
        }
        Ok(Some((written, fingerprints)))
    }

    /// Reads a page. A damaged one is removed, so that it counts as missing.
    fn part(&self, page: u32) -> Result<Option<Part>, Failed> {
        let path = self.names.part_path(page);
        let bytes = read(&path).map_err(|error| disk_failed(&error, "reading", &path))?;
        let part = bytes.and_then(Part::read);
        if part.is_none() {
            remove(&path).map_err(|error| disk_failed(&error, "removing", &path))?;
        }
        Ok(part)
    }

    /// Removes the pages of a closed package, and what a killed attempt left.
    fn remove_parts(&self) -> Result<(), Failed> {
        let work = self.names.work();
        let failed = |error: io::Error| disk_failed(&error, "removing files of", &work);
        let records = [self.names.closed_path(), self.names.publishing_path(), self.names.published_path()];
        // With the dot: the files of package 12 are not those of package 1.
        let begin = format!("{}.", self.names.stem);
        for entry in std::fs::read_dir(&work).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&begin) && !records.contains(&path) {
                remove(&path).map_err(failed)?;
                self.faults.at(DiskStep::Removed).map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn conflict(path: &Path) -> Failed {
    let why = format!(
        "{} is there with other content, and is not replaced: have the receiver move it away if it is not its own",
        path.display()
    );
    Failed::passing(FailureReason::Conflict, why)
}

/// Digests what passes on its way to a file.
struct Digesting<W> {
    file: W,
    context: Context,
    bytes: u64,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let written = self.file.write(part)?;
        self.context.update(&part[..written]);
        self.bytes += u64::try_from(written).unwrap_or(0);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Digesting<io::Sink> {
    /// The digest of a file; none if it is not there.
    fn of_file(path: &Path) -> io::Result<Option<String>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut digesting = Self { file: io::sink(), context: Context::new(&SHA256), bytes: 0 };
        io::copy(&mut file, &mut digesting)?;
        Ok(Some(HEXLOWER.encode(digesting.context.finish().as_ref())))
    }
}
