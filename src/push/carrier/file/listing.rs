//! The receiver's answers in `receipts/`: CSV with a header, or one JSON object a line, in the receiver's encoding.
//!
//! The receiver writes there: nothing it writes is trusted. A line that cannot be read is reported by its number, and the others
//! count.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    super::{
        Failed, FailureReason, Fault, Listed,
        verdict::{Entry, cut},
    },
    Target,
    disk::disk_failed,
};
use crate::push::platform::Encoding;

/// The number of lines in a page.
const PAGE: usize = 10_000;
/// The longest line of JSON, in bytes: the rest of a longer one counts as another line.
const LONGEST_LINE: u64 = 1 << 20;
/// The largest file, in bytes. A CSV file can be one field, which must not fill the memory.
pub(super) const LARGEST_FILE: u64 = 256 << 20;

/// Which answers of the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answers {
    /// Those about the package with this stem.
    Of(String),
    /// The list of what the receiver holds.
    Inventory,
}

impl Answers {
    /// Whether a file with this name has some.
    pub(super) fn has(&self, name: &str) -> bool {
        let is_known = Path::new(name).extension().is_some_and(|end| end == "csv" || end == "ndjson");
        is_known
            && match self {
                // With the dot, or package 1 would have the answers about package 12.
                Self::Of(stem) => name.strip_prefix(stem.as_str()).is_some_and(|rest| rest.starts_with('.')),
                Self::Inventory => matches!(name, "inventory.csv" | "inventory.ndjson"),
            }
    }
}

/// Files that the receiver wrote, in the order of their names.
#[derive(Debug)]
pub(super) struct Listing {
    files: Vec<PathBuf>,
    encoding: Encoding,
}

/// Where a page begins: in the file of this name, at this byte, which is in this line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    file: String,
    offset: u64,
    line: u64,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (offset, rest) = text.split_once(':')?;
        let (line, file) = rest.split_once(':')?;
        Some(Self { file: file.to_owned(), offset: offset.parse().ok()?, line: line.parse().ok()? })
    }

    fn text(&self) -> String {
        format!("{}:{}:{}", self.offset, self.line, self.file)
    }
}

/// A page of one file, and where the next one begins.
struct FilePage<T> {
    entries: Vec<T>,
    faults: Vec<Fault>,
    next: Option<(u64, u64)>,
}

impl Listing {
    /// The files with answers. There must be one with the inventory.
    pub(super) fn find(target: &Target, answers: &Answers) -> Result<Self, Failed> {
        let found = Self::files(target, answers)?;
        if found.files.len() == 1 || *answers != Answers::Inventory {
            return Ok(found);
        }
        let directory = target.directory.join("receipts");
        let why = if found.files.is_empty() { "has neither" } else { "has both" };
        let why = format!(
            "{} {why} inventory.csv and inventory.ndjson: to compare, have the receiver list there what it holds",
            directory.display()
        );
        Err(Failed::passing(FailureReason::Unsupported, why))
    }

    fn files(target: &Target, answers: &Answers) -> Result<Self, Failed> {
        let directory = target.directory.join("receipts");
        let failed = |error: &io::Error| disk_failed(error, "reading", &directory);
        let mut files = Vec::new();
        match fs::read_dir(&directory) {
            Ok(entries) => {
                for entry in entries {
                    let entry = entry.map_err(|error| failed(&error))?;
                    // A link or a pipe is not read: the receiver could lead it anywhere.
                    let of_ours = answers.has(&entry.file_name().to_string_lossy());
                    if of_ours && entry.file_type().map_err(|error| failed(&error))?.is_file() {
                        files.push(entry.path());
                    }
                }
            }
            // Without a receipt so far; the directory itself must be there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::metadata(&target.directory).map_err(|error| disk_failed(&error, "opening", &target.directory))?;
            }
            Err(error) => return Err(failed(&error)),
        }
        files.sort();
        Ok(Self { files, encoding: target.form.encoding })
    }

    /// Reads a page: the next lines of one file.
    pub(super) fn page<T>(
        &self,
        after: Option<&str>,
        read: fn(&Entry) -> Result<T, String>,
    ) -> Result<Listed<T>, Failed> {
        let cursor = after.map(|after| {
            let unknown = || Failed::permanent(FailureReason::Page, format!("{:?} is no place in a list", cut(after)));
            Cursor::parse(after).ok_or_else(unknown)
        });
        let cursor = cursor.transpose()?;
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let begin = cursor.as_ref().map(|cursor| cursor.file.clone()).unwrap_or_default();
        let mut files = self.files.iter().filter(|path| name(path) >= begin);
        let Some(path) = files.next() else {
            return Ok(Listed { entries: Vec::new(), faults: Vec::new(), next: None });
        };
        let length = fs::metadata(path).map_err(|error| disk_failed(&error, "reading", path))?.len();
        if length > LARGEST_FILE {
            let why = format!(
                "{} has {length} bytes, and at most {LARGEST_FILE} are read: have the receiver write several files",
                path.display()
            );
            return Err(Failed::passing(FailureReason::TooLarge, why));
        }
        // In another file than it says the place means nothing: that one is gone.
        let from = cursor.filter(|cursor| cursor.file == name(path)).map(|cursor| (cursor.offset, cursor.line));
        let is_csv = path.extension().is_some_and(|end| end == "csv");
        let page = if is_csv { self.csv(path, from, read) } else { self.ndjson(path, from, read) };
        let FilePage { entries, faults, next } = page.map_err(|error| disk_failed(&error, "reading", path))?;
        let next = match next {
            Some((offset, line)) => Some(Cursor { file: name(path), offset, line }),
            None => files.next().map(|path| Cursor { file: name(path), offset: 0, line: 1 }),
        };
        Ok(Listed { entries, faults, next: next.map(|next| next.text()) })
    }

    /// The text of bytes in the receiver's encoding; none if they are in another.
    fn text(&self, bytes: &[u8]) -> Result<String, String> {
        let text = self.encoding.codec().decode_without_bom_handling_and_without_replacement(bytes);
        text.map(std::borrow::Cow::into_owned).ok_or_else(|| format!("it is not {}", self.encoding.registered()))
    }

    fn csv<T>(
        &self,
        path: &Path,
        from: Option<(u64, u64)>,
        read: fn(&Entry) -> Result<T, String>,
    ) -> io::Result<FilePage<T>> {
        // Parsed as bytes: in both encodings commas, quotes and line ends are no part of another character.
        let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(File::open(path)?);
        let headers = rows.byte_headers().map_err(io::Error::from)?.clone();
        let mut page = FilePage { entries: Vec::new(), faults: Vec::new(), next: None };
        let fault = |line: u64, problem: String| Fault { at: format!("{} line {line}", path.display()), problem };
        let names: Result<Vec<String>, _> = headers.iter().map(|name| self.text(without_mark(name))).collect();
        let names = match names {
            Ok(names) => names,
            Err(problem) => {
                page.faults.push(fault(1, problem));
                return Ok(page);
            }
        };
        if let Some((offset, line)) = from.filter(|(offset, _)| *offset > 0) {
            let mut position = csv::Position::new();
            position.set_byte(offset).set_line(line);
            rows.seek(position).map_err(io::Error::from)?;
        }
        let mut record = csv::ByteRecord::new();
        for _ in 0..PAGE {
            if !rows.read_byte_record(&mut record).map_err(io::Error::from)? {
                return Ok(page);
            }
            let line = record.position().map_or(0, csv::Position::line);
            let values: Result<Vec<String>, String> = record.iter().map(|value| self.text(value)).collect();
            let pairs = |values: Vec<String>| {
                Entry::new(names.iter().map(String::as_str).zip(values.iter().map(String::as_str)))
            };
            match values.map(pairs).and_then(|entry| read(&entry)) {
                Ok(entry) => page.entries.push(entry),
                Err(problem) => page.faults.push(fault(line, problem)),
            }
        }
        let position = rows.position();
        page.next = Some((position.byte(), position.line()));
        Ok(page)
    }

    fn ndjson<T>(
        &self,
        path: &Path,
        from: Option<(u64, u64)>,
        read: fn(&Entry) -> Result<T, String>,
    ) -> io::Result<FilePage<T>> {
        let (mut offset, mut line) = from.unwrap_or((0, 1));
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut file = BufReader::new(file);
        let mut page = FilePage { entries: Vec::new(), faults: Vec::new(), next: None };
        let mut bytes = Vec::new();
        for _ in 0..PAGE {
            bytes.clear();
            let length = file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
            if length == 0 {
                return Ok(page);
            }
            let parsed = || {
                let text = self.text(without_mark(&bytes))?;
                if text.trim().is_empty() {
                    return Ok(None);
                }
                let value = serde_json::from_str(&text).map_err(|error| format!("it is no JSON: {error}"))?;
                read(&Entry::of_json(&value)?).map(Some)
            };
            let problem = match parsed() {
                Ok(entry) => {
                    page.entries.extend(entry);
                    None
                }
                Err(problem) => Some(problem),
            };
            page.faults.extend(problem.map(|problem| Fault { at: format!("{} line {line}", path.display()), problem }));
            offset += u64::try_from(length).unwrap_or(0);
            line += 1;
        }
        page.next = Some((offset, line));
        Ok(page)
    }
}

/// Bytes without the byte order mark of UTF-8.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}
