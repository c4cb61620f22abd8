//! CSV files, in whichever encoding and with whichever separator they are written. Everything above this file sees
//! UTF-8.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, Read},
    rc::Rc,
};

use aws_lc_rs::digest;

use super::{
    super::{
        ImportError, Template,
        findings::Code,
        heading::{MOST_TITLES, is_header},
        skips::{Lines, SkipReason, Skips},
    },
    Encoding, Header, Input, Next, RowSource,
    dialect::{Dialect, EXAMINED_BYTES, Separator, TextEncoding},
    encoding::Evidence,
    lines::{LineTracker, Step},
    transcoder::Transcoder,
};

/// Longest row. Without a limit, a quote that is never closed would read the whole file into memory.
const MAX_ROW_BYTES: u64 = 1 << 20;

/// Counts and digests the bytes of a file.
struct DigestingReader {
    file: Box<dyn Read + Send>,
    digest: digest::Context,
    /// Bytes read from the file.
    passed: u64,
}

impl Read for DigestingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.digest.update(buffer.get(..count).unwrap_or_default());
        self.passed = self.passed.saturating_add(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}

/// The text of a file in UTF-8.
enum Text {
    /// The file is UTF-8.
    Direct(DigestingReader),
    Converted(Box<Transcoder<DigestingReader>>),
}

impl Text {
    const fn file(&self) -> &DigestingReader {
        match self {
            Self::Direct(file) => file,
            Self::Converted(text) => text.below(),
        }
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Direct(file) => file.read(buffer),
            Self::Converted(text) => text.read(buffer),
        }
    }
}

/// State shared by the CSV reader and the text below it.
#[derive(Debug)]
struct Shared {
    /// Bytes read from the text.
    passed: Cell<u64>,
    /// The offset at which the row being read began.
    row_began: Cell<u64>,
    lines: RefCell<LineTracker>,
    /// Line ends that were read and that no row has reached yet: their offset, and whether it counts.
    ends: RefCell<VecDeque<(u64, bool)>>,
    /// The line of a quote that is not closed.
    open_quote: Cell<Option<u64>>,
}

/// Follows the lines of a text, and fails inside a row that is too long.
struct TrackedText {
    text: Text,
    shared: Rc<Shared>,
}

impl Read for TrackedText {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let shared = &*self.shared;
        let passed = shared.passed.get();
        // Checked below the CSV reader, which would collect the row in memory before it returns it.
        if passed.saturating_sub(shared.row_began.get()) > MAX_ROW_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a row is longer than 1 MiB"));
        }
        let count = self.text.read(buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        let (mut lines, mut ends) = (shared.lines.borrow_mut(), shared.ends.borrow_mut());
        for (at, byte) in (passed..).zip(bytes) {
            match lines.step(*byte) {
                Step::Inside => {}
                Step::LineEnd { counts } => ends.push_back((at, counts)),
                Step::OpenQuote => {
                    shared.open_quote.set(Some(lines.line()));
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a quote is not closed"));
                }
            }
        }
        if count == 0 && lines.ends_within_quotes() {
            shared.open_quote.set(Some(lines.line()));
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a quote is not closed"));
        }
        shared.passed.set(passed.saturating_add(u64::try_from(count).unwrap_or(0)));
        Ok(count)
    }
}

/// A CSV file (RFC 4180); a byte order mark and either line end are tolerated.
pub(super) struct CsvSource {
    reader: csv::Reader<TrackedText>,
    shared: Rc<Shared>,
    dialect: Dialect,
    template: Template,
    /// Of rows in UTF-8, whether they are in another encoding.
    evidence: Evidence,
    /// The row as bytes, before it is checked to be text.
    raw: csv::ByteRecord,
    /// The line the last row began on, the one that declares the separator included.
    line: u64,
    /// The last line that a row, or a skipped line, accounts for.
    accounted: u64,
    skipped: Skips,
    /// The line of the header.
    header_line: u64,
}

impl CsvSource {
    pub(super) fn open(input: &Input, encoding: Encoding, template: Template) -> Result<Self, ImportError> {
        let (beginning, is_all) = input.beginning(EXAMINED_BYTES)?;
        let dialect = Dialect::of(&beginning, is_all, encoding, template)?;
        let mut file =
            DigestingReader { file: input.open()?, digest: digest::Context::new(&digest::SHA256), passed: 0 };
        let mark = u64::try_from(dialect.mark).unwrap_or(0);
        let read = io::copy(&mut Read::by_ref(&mut file).take(mark), &mut io::sink());
        read.map_err(|error| ImportError::read(input.name().as_ref(), error))?;
        let text = if dialect.is_direct() {
            Text::Direct(file)
        } else {
            let wide = dialect.separator == Separator::WideComma;
            Text::Converted(Box::new(Transcoder::new(file, dialect.encoding.codec(), wide)))
        };
        let separator = dialect.separator.byte();
        let shared = Rc::new(Shared {
            passed: Cell::new(0),
            row_began: Cell::new(0),
            lines: RefCell::new(LineTracker::new(separator)),
            ends: RefCell::default(),
            open_quote: Cell::new(None),
        });
        // Flexible: a row with too many or too few fields is a finding, and does not end the file.
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .buffer_capacity(1 << 16)
            .from_reader(TrackedText { text, shared: Rc::clone(&shared) });
        let mut source = Self {
            reader,
            shared,
            dialect,
            template,
            evidence: Evidence::default(),
            raw: csv::ByteRecord::new(),
            line: 1,
            accounted: 0,
            skipped: Skips::default(),
            header_line: 0,
        };
        if dialect.declared {
            source.read(&mut csv::StringRecord::new())?;
        }
        source.accounted = 0;
        source.skipped = Skips::default();
        Ok(source)
    }

    /// The line of the row that was read from `start` on, as a spreadsheet shows it. The reader's own count does not
    /// include the empty lines that it skips before a row.
    fn line_of(&mut self, start: u64) -> u64 {
        let mut ends = self.shared.ends.borrow_mut();
        let mut empty_until = start;
        while let Some((at, counts)) = ends.front().copied().filter(|(at, _)| *at <= empty_until) {
            ends.pop_front();
            self.line += u64::from(counts);
            if at == empty_until {
                empty_until += 1;
            }
        }
        self.line - u64::from(self.dialect.declared && self.line > 1)
    }

    /// Counts the empty lines before a line as skipped.
    fn account_for(&mut self, line: u64) {
        let empty = line.saturating_sub(self.accounted + 1);
        self.skipped.add_all(SkipReason::Blank, self.accounted + 1, empty);
        self.accounted = self.accounted.max(line);
    }

    /// How many lines a spreadsheet shows of what was read.
    fn lines_read(&self) -> u64 {
        self.shared.lines.borrow().total() - u64::from(self.dialect.declared)
    }

    fn failed(&self, error: csv::Error, line: u64) -> ImportError {
        let declared = u64::from(self.dialect.declared);
        if let Some(line) = self.shared.open_quote.get() {
            return ImportError::OpenQuote { line: line.saturating_sub(declared) };
        }
        match error.kind() {
            csv::ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::FileTooLarge => {
                ImportError::RowTooLong { line }
            }
            _ => ImportError::Csv(error),
        }
    }

    fn read(&mut self, row: &mut csv::StringRecord) -> Result<Next, ImportError> {
        let start = self.reader.position().byte();
        self.shared.row_began.set(start);
        let outcome = self.reader.read_byte_record(&mut self.raw);
        let line = self.line_of(start);
        match outcome {
            Ok(true) => self.account_for(line),
            Ok(false) => {
                self.account_for(self.lines_read() + 1);
                return Ok(Next::End);
            }
            Err(error) => return Err(self.failed(error, line)),
        }
        let utf8 = decode_row(&mut self.raw, row);
        if self.dialect.encoding == TextEncoding::Utf8 {
            if utf8 {
                self.evidence.add_utf8(row.as_slice());
            } else {
                self.evidence.add_other(self.raw.as_slice());
            }
        }
        // What is converted is always UTF-8, with a replacement for what is no character.
        let readable = utf8 && (self.dialect.is_direct() || !row.as_slice().contains('\u{fffd}'));
        if readable {
            if self.dialect.separator == Separator::WideComma {
                restore_wide_commas(row);
            }
            return Ok(Next::Row { line });
        }
        let (code, message) = match self.dialect.encoding {
            TextEncoding::Utf8 => (Code::NotUtf8, "is not UTF-8: save the file as UTF-8, or use --encoding gb18030"),
            TextEncoding::Gb18030 => (Code::NotGb18030, "has bytes that are no character of GB 18030"),
            TextEncoding::Utf16Le | TextEncoding::Utf16Be => {
                (Code::NotUtf16, "has bytes that are no character of UTF-16")
            }
        };
        Ok(Next::Unreadable { line, column: None, code, message: message.into() })
    }
}

/// Converts a row to text; false if it is not UTF-8. It is moved, not copied.
fn decode_row(raw: &mut csv::ByteRecord, row: &mut csv::StringRecord) -> bool {
    match csv::StringRecord::from_byte_record(std::mem::take(raw)) {
        Ok(text) => {
            // The buffer of the old row is reused.
            *raw = std::mem::replace(row, text).into_byte_record();
            true
        }
        Err(error) => {
            *raw = error.into_byte_record();
            false
        }
    }
}

/// Gives texts back their full-width commas, which were within quotes.
fn restore_wide_commas(row: &mut csv::StringRecord) {
    if row.as_slice().contains('\u{1f}') {
        *row = row.iter().map(|field| field.replace('\u{1f}', "，")).collect();
    }
}

impl RowSource for CsvSource {
    fn header(&mut self) -> Result<Header, ImportError> {
        let (mut first, mut titles) = (None, Vec::new());
        let mut row = csv::StringRecord::new();
        while titles.len() <= MOST_TITLES {
            let line = match self.read(&mut row)? {
                Next::Row { line } => line,
                Next::End => break,
                Next::Unreadable { .. } if self.dialect.encoding == TextEncoding::Utf8 => {
                    return Err(ImportError::HeaderNotUtf8);
                }
                Next::Unreadable { .. } => return Err(ImportError::HeaderNotDecodable),
            };
            if is_header(self.template, row.iter()) {
                for (line, reason) in titles {
                    self.skipped.add(reason, line);
                }
                // Only rows count as evidence.
                self.evidence = Evidence::default();
                self.header_line = line;
                return Ok(Header::of(&row));
            }
            let empty = row.iter().all(|cell| cell.trim().is_empty());
            titles.push((line, if empty { SkipReason::Blank } else { SkipReason::Title }));
            first.get_or_insert_with(|| row.clone());
        }
        // No row names columns: the errors are about the first.
        first.as_ref().map(Header::of).ok_or(ImportError::EmptyFile)
    }

    fn next(&mut self, row: &mut csv::StringRecord) -> Result<Next, ImportError> {
        let next = self.read(row)?;
        if self.dialect.encoding == TextEncoding::Utf8 {
            self.evidence.judge(Encoding::Utf8, next == Next::End)?;
        }
        Ok(next)
    }

    fn bytes_read(&self) -> u64 {
        self.reader.get_ref().text.file().passed
    }

    fn sha256(&mut self) -> Result<String, ImportError> {
        // A copy of the state, because the reader owns the digest.
        let digest = self.reader.get_ref().text.file().digest.clone().finish();
        Ok(data_encoding::HEXLOWER.encode(digest.as_ref()))
    }

    fn lines(&mut self) -> Lines {
        Lines { read: self.lines_read(), skipped: std::mem::take(&mut self.skipped) }
    }

    fn is_plain(&self) -> bool {
        self.dialect.is_direct()
            && self.dialect.separator == Separator::Comma
            && !self.dialect.declared
            && self.header_line == 1
    }
}
