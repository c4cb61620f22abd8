//! Where rows come from. CSV today; another format is another [`RowSource`], which yields the same columns as text.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fs::File,
    io::{self, Read},
    path::Path,
    rc::Rc,
};

use aws_lc_rs::digest;

use super::ImportError;

/// No row is longer: an opening quote without its end would otherwise swallow the file into memory.
const MAX_ROW_BYTES: u64 = 1 << 20;

/// What became of the next row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A row was read.
    Row {
        /// The line it begins on.
        line: u64,
    },
    /// A row that is not UTF-8 was passed over.
    NotUtf8 {
        /// The line it begins on.
        line: u64,
    },
    /// There are no more.
    End,
}

/// A file's rows, one after the other.
pub(super) trait RowSource {
    /// The names of the columns.
    fn header(&mut self) -> Result<Vec<String>, ImportError>;
    /// Reads the next row into `row`.
    fn next(&mut self, row: &mut csv::StringRecord) -> Result<Next, ImportError>;
    /// Bytes read so far.
    fn bytes_read(&self) -> u64;
    /// The digest of what was read; asked for at the end.
    fn sha256(&mut self) -> String;
}

/// What the reader and the file below it tell each other.
#[derive(Debug, Default)]
struct Shared {
    /// Bytes of the file that have passed.
    passed: Cell<u64>,
    /// Where the row being read began.
    row_began: Cell<u64>,
    /// Line ends that have passed and no row has reached yet: where, and whether it is a newline.
    ends: RefCell<VecDeque<(u64, bool)>>,
}

/// Counts and digests what passes, and refuses to go on inside a row without end.
struct Passing {
    file: File,
    digest: digest::Context,
    shared: Rc<Shared>,
}

impl Read for Passing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let passed = self.shared.passed.get();
        if passed.saturating_sub(self.shared.row_began.get()) > MAX_ROW_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a row is longer than 1 MiB"));
        }
        let count = self.file.read(buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        self.digest.update(bytes);
        let mut ends = self.shared.ends.borrow_mut();
        for (at, byte) in (passed..).zip(bytes) {
            if matches!(byte, b'\n' | b'\r') {
                ends.push_back((at, *byte == b'\n'));
            }
        }
        self.shared.passed.set(passed.saturating_add(u64::try_from(count).unwrap_or(0)));
        Ok(count)
    }
}

/// UTF-8 CSV (RFC 4180); a byte order mark and either line end are tolerated.
pub(super) struct CsvSource {
    reader: csv::Reader<Passing>,
    shared: Rc<Shared>,
    /// The line the last row began on.
    line: u64,
}

impl CsvSource {
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(|error| ImportError::read(path, error))?;
        let shared = Rc::<Shared>::default();
        let passing = Passing { file, digest: digest::Context::new(&digest::SHA256), shared: Rc::clone(&shared) };
        let reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(1 << 16).from_reader(passing);
        Ok(Self { reader, shared, line: 1 })
    }

    /// The line of the row that was read from `start` on. The reader's own count is of where it stood before it passed
    /// over empty lines.
    fn line_of(&mut self, start: u64) -> u64 {
        let mut ends = self.shared.ends.borrow_mut();
        let mut empty_until = start;
        while let Some((at, newline)) = ends.front().copied().filter(|(at, _)| *at <= empty_until) {
            ends.pop_front();
            self.line += u64::from(newline);
            if at == empty_until {
                empty_until += 1;
            }
        }
        self.line
    }
}

impl RowSource for CsvSource {
    fn header(&mut self) -> Result<Vec<String>, ImportError> {
        let mut row = csv::StringRecord::new();
        match self.next(&mut row)? {
            Next::Row { .. } => Ok(row.iter().map(str::to_owned).collect()),
            Next::NotUtf8 { .. } => Err(ImportError::HeaderNotUtf8),
            Next::End => Err(ImportError::EmptyFile),
        }
    }

    fn next(&mut self, row: &mut csv::StringRecord) -> Result<Next, ImportError> {
        let start = self.reader.position().byte();
        self.shared.row_began.set(start);
        let outcome = self.reader.read_record(row);
        let line = self.line_of(start);
        match outcome {
            Ok(true) => Ok(Next::Row { line }),
            Ok(false) => Ok(Next::End),
            Err(error) => match error.kind() {
                csv::ErrorKind::Utf8 { .. } => Ok(Next::NotUtf8 { line }),
                csv::ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::FileTooLarge => {
                    Err(ImportError::RowTooLong { line })
                }
                _ => Err(ImportError::Csv(error)),
            },
        }
    }

    fn bytes_read(&self) -> u64 {
        self.shared.passed.get()
    }

    fn sha256(&mut self) -> String {
        let digest = self.reader.get_ref().digest.clone().finish();
        data_encoding::HEXLOWER.encode(digest.as_ref())
    }
}

/// A file's digest and size.
pub(super) fn digest_of(path: &Path) -> Result<(String, u64), ImportError> {
    let mut file = File::open(path).map_err(|error| ImportError::read(path, error))?;
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0u8; 1 << 16];
    let mut size = 0u64;
    loop {
        let count = file.read(&mut buffer).map_err(|error| ImportError::read(path, error))?;
        if count == 0 {
            return Ok((data_encoding::HEXLOWER.encode(digest.finish().as_ref()), size));
        }
        digest.update(buffer.get(..count).unwrap_or_default());
        size = size.saturating_add(u64::try_from(count).unwrap_or(0));
    }
}
