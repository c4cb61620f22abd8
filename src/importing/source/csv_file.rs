//! CSV files, in UTF-8 or GB 18030.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, Read},
    rc::Rc,
};

use aws_lc_rs::digest;

use super::{
    super::{ImportError, findings::Code},
    Encoding, Input, Next, RowSource,
    encoding::{Evidence, decode},
};

/// Longest row. Without a limit, a quote that is never closed would read the whole file into memory.
const MAX_ROW_BYTES: u64 = 1 << 20;

/// State shared by the CSV reader and the file below it.
#[derive(Debug, Default)]
struct Shared {
    /// Bytes read from the file.
    passed: Cell<u64>,
    /// The offset at which the row being read began.
    row_began: Cell<u64>,
    /// Line ends that were read and that no row has reached yet: their offset, and whether it is a newline.
    ends: RefCell<VecDeque<(u64, bool)>>,
}

/// Counts and digests the bytes of a file, and fails inside a row that is too long.
struct DigestingReader {
    file: Box<dyn Read + Send>,
    digest: digest::Context,
    shared: Rc<Shared>,
}

impl Read for DigestingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let passed = self.shared.passed.get();
        // Checked below the CSV reader, which would collect the row in memory before it returns it.
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

/// A CSV file (RFC 4180); a byte order mark and either line end are tolerated.
pub(super) struct CsvSource {
    reader: csv::Reader<DigestingReader>,
    shared: Rc<Shared>,
    encoding: Encoding,
    evidence: Evidence,
    /// The row as bytes, before it is decoded.
    raw: csv::ByteRecord,
    /// The line the last row began on.
    line: u64,
}

impl CsvSource {
    pub(super) fn open(input: &Input, encoding: Encoding) -> Result<Self, ImportError> {
        let shared = Rc::<Shared>::default();
        let digest = digest::Context::new(&digest::SHA256);
        let digesting = DigestingReader { file: input.open()?, digest, shared: Rc::clone(&shared) };
        // Flexible: a row with too many or too few fields is a finding, and does not end the file.
        let reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(1 << 16).from_reader(digesting);
        let (evidence, raw) = (Evidence::default(), csv::ByteRecord::new());
        Ok(Self { reader, shared, encoding, evidence, raw, line: 1 })
    }

    /// The line of the row that was read from `start` on. The reader's own count does not include the empty lines that
    /// it skips before a row.
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

/// Decodes a row; false if it is not in the encoding. UTF-8 is moved, not copied.
fn decode_row(raw: &mut csv::ByteRecord, row: &mut csv::StringRecord, encoding: Encoding) -> bool {
    match encoding {
        Encoding::Utf8 => match csv::StringRecord::from_byte_record(std::mem::take(raw)) {
            Ok(text) => {
                // The buffer of the old row is reused.
                *raw = std::mem::replace(row, text).into_byte_record();
                true
            }
            Err(error) => {
                *raw = error.into_byte_record();
                false
            }
        },
        Encoding::Gb18030 => {
            row.clear();
            for field in &*raw {
                match decode(field) {
                    Some(text) => row.push_field(&text),
                    None => return false,
                }
            }
            true
        }
    }
}

impl CsvSource {
    fn read(&mut self, row: &mut csv::StringRecord) -> Result<Next, ImportError> {
        let start = self.reader.position().byte();
        self.shared.row_began.set(start);
        let outcome = self.reader.read_byte_record(&mut self.raw);
        let line = self.line_of(start);
        match outcome {
            Ok(true) => {}
            Ok(false) => return Ok(Next::End),
            Err(error) => match error.kind() {
                csv::ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::FileTooLarge => {
                    return Err(ImportError::RowTooLong { line });
                }
                _ => return Err(ImportError::Csv(error)),
            },
        }
        match self.encoding {
            // Counted below, once the row is text.
            Encoding::Utf8 => {}
            Encoding::Gb18030 => match std::str::from_utf8(self.raw.as_slice()) {
                Ok(text) => self.evidence.add_utf8(text),
                Err(_) => self.evidence.add_other(self.raw.as_slice()),
            },
        }
        let readable = decode_row(&mut self.raw, row, self.encoding);
        match (self.encoding, readable) {
            (Encoding::Gb18030, _) => {}
            (Encoding::Utf8, true) => self.evidence.add_utf8(row.as_slice()),
            (Encoding::Utf8, false) => self.evidence.add_other(self.raw.as_slice()),
        }
        if readable {
            return Ok(Next::Row { line });
        }
        let (code, message) = match self.encoding {
            Encoding::Utf8 => (Code::NotUtf8, "is not UTF-8: save the file as UTF-8, or use --encoding gb18030"),
            Encoding::Gb18030 => (Code::NotGb18030, "has bytes that are no character of GB 18030"),
        };
        Ok(Next::Unreadable { line, column: None, code, message: message.into() })
    }
}

impl RowSource for CsvSource {
    fn header(&mut self) -> Result<Vec<String>, ImportError> {
        let mut row = csv::StringRecord::new();
        let names = match self.read(&mut row)? {
            // The reader removes the byte order mark of UTF-8, but not that of GB 18030.
            Next::Row { .. } => row.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect(),
            Next::Unreadable { .. } if self.encoding == Encoding::Utf8 => return Err(ImportError::HeaderNotUtf8),
            Next::Unreadable { .. } => return Err(ImportError::HeaderNotGb18030),
            Next::End => return Err(ImportError::EmptyFile),
        };
        // Only rows count as evidence: a header is ASCII in either encoding.
        self.evidence = Evidence::default();
        Ok(names)
    }

    fn next(&mut self, row: &mut csv::StringRecord) -> Result<Next, ImportError> {
        let next = self.read(row)?;
        self.evidence.judge(self.encoding, next == Next::End)?;
        Ok(next)
    }

    fn bytes_read(&self) -> u64 {
        self.shared.passed.get()
    }

    fn sha256(&mut self) -> Result<String, ImportError> {
        // A copy of the state, because the reader owns the digest.
        let digest = self.reader.get_ref().digest.clone().finish();
        Ok(data_encoding::HEXLOWER.encode(digest.as_ref()))
    }
}
