//! Splits a file into blocks of whole rows: one thread reads and digests the file while others parse the blocks.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;

use crate::importing::{
    ImportError,
    source::lines::{LineTracker, Step},
};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 4 << 20;

/// Longest row. Without a limit, a quote that is never closed would read the whole file into memory.
const MAX_ROW_BYTES: usize = 1 << 20;

/// Complete rows of a file.
#[derive(Debug)]
pub(super) struct Block {
    /// The line that it begins with, as a spreadsheet shows it; the first line of a file is 1.
    pub(super) line: u64,
    /// How many lines it has.
    pub(super) lines: u64,
    /// Its bytes. The last line of a file may have no line end.
    pub(super) bytes: Vec<u8>,
    /// Whether it has a quotation mark, so that a row may span lines.
    pub(super) quoted: bool,
    /// Bytes of the file up to its end.
    pub(super) offset: u64,
}

/// Reads a file block by block.
pub(super) struct Blocks {
    path: PathBuf,
    file: File,
    digest: digest::Context,
    /// The beginning of a row whose end has not been read yet.
    rest: Vec<u8>,
    line: u64,
    offset: u64,
    ended: bool,
}

impl Blocks {
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(|error| ImportError::read(path, error))?;
        let digest = digest::Context::new(&digest::SHA256);
        Ok(Self { path: path.to_owned(), file, digest, rest: Vec::new(), line: 1, offset: 0, ended: false })
    }

    /// The next block; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Block>, ImportError> {
        loop {
            if self.ended && self.rest.is_empty() {
                return Ok(None);
            }
            let mut bytes = std::mem::take(&mut self.rest);
            let before = bytes.len();
            if !self.ended {
                self.fill(&mut bytes).map_err(|error| ImportError::read(&self.path, error))?;
            }
            let quoted = bytes.contains(&b'"');
            let Rows { end, lines } = Rows::of(&bytes, quoted, self.ended, self.line)?;
            if end == 0 && !self.ended {
                // The row is longer than what has been read: reading continues up to the longest row.
                if bytes.len() > before && bytes.len() <= MAX_ROW_BYTES {
                    self.rest = bytes;
                    continue;
                }
                return Err(ImportError::RowTooLong { line: self.line });
            }
            self.rest = bytes.split_off(end);
            let block = Block { line: self.line, lines, quoted, offset: self.offset, bytes };
            self.line += lines;
            return Ok(Some(block));
        }
    }

    fn fill(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let before = bytes.len();
        bytes.reserve(BLOCK_BYTES);
        let limit = u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX);
        let count = Read::by_ref(&mut self.file).take(limit).read_to_end(bytes)?;
        // Digested as it is read, so the digest is of the very bytes that were parsed.
        self.digest.update(bytes.get(before..).unwrap_or_default());
        self.offset = self.offset.saturating_add(u64::try_from(count).unwrap_or(0));
        // `read_to_end` stops short of the limit only at the end of the file.
        self.ended = count < BLOCK_BYTES;
        Ok(())
    }

    /// How many lines the blocks so far have.
    pub(super) const fn lines(&self) -> u64 {
        self.line - 1
    }

    /// The digest of the whole file, hex.
    pub(super) fn sha256(self) -> String {
        data_encoding::HEXLOWER.encode(self.digest.finish().as_ref())
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    // Sums of at most 255 fit into a byte each, so that the compiler vectorizes the loop.
    bytes.chunks(255).map(|piece| u64::from(piece.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>())).sum()
}

/// The complete rows at the beginning of some bytes, which begin with a row.
struct Rows {
    /// The position after the last of them.
    end: usize,
    lines: u64,
}

impl Rows {
    /// `is_last` if the file has no more bytes; `line` is the number of the first line.
    fn of(bytes: &[u8], quoted: bool, is_last: bool, line: u64) -> Result<Self, ImportError> {
        if quoted {
            return Self::of_quoted(bytes, is_last, line);
        }
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = newlines(bytes.get(..end).unwrap_or_default());
        // The last row of a file may have no line end.
        let rest = u64::from(end < bytes.len());
        Ok(if is_last { Self { end: bytes.len(), lines: lines + rest } } else { Self { end, lines } })
    }

    fn of_quoted(bytes: &[u8], is_last: bool, line: u64) -> Result<Self, ImportError> {
        let mut tracker = LineTracker::new(b',');
        let (mut end, mut lines) = (0, 0);
        for (at, byte) in bytes.iter().enumerate() {
            match tracker.step(*byte) {
                // The second byte of a pair belongs to its line, and may not have been read yet.
                Step::LineEnd { .. } if *byte == b'\r' && at + 1 == bytes.len() && !is_last => {}
                Step::LineEnd { .. } => (end, lines) = (at + 1, tracker.total()),
                Step::OpenQuote => return Err(ImportError::OpenQuote { line: line + lines }),
                Step::Inside if at - end > MAX_ROW_BYTES => return Err(ImportError::RowTooLong { line: line + lines }),
                Step::Inside => {}
            }
        }
        if !is_last {
            return Ok(Self { end, lines });
        }
        if tracker.ends_within_quotes() {
            return Err(ImportError::OpenQuote { line: line + lines });
        }
        Ok(Self { end: bytes.len(), lines: tracker.total() })
    }
}

/// The rows of a block with quotes, and the line that each is on. `Err` is a row that is not UTF-8.
pub(super) fn rows_of(block: &Block) -> impl Iterator<Item = (u64, Result<csv::StringRecord, csv::Error>)> + '_ {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(block.bytes.as_slice());
    // The line behind the row before.
    let mut next_line = block.line;
    std::iter::from_fn(move || {
        let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let mut row = csv::StringRecord::new();
        let outcome = reader.read_record(&mut row);
        // The reader skips empty lines before a row.
        let behind = block.bytes.get(start..)?;
        let begins = behind.iter().position(|byte| !matches!(byte, b'\n' | b'\r'))?;
        let after_return = start.checked_sub(1).and_then(|at| block.bytes.get(at)) == Some(&b'\r');
        let rest_of_pair = u64::from(after_return && behind.first() == Some(&b'\n'));
        let line = next_line + newlines(behind.get(..begins).unwrap_or_default()) - rest_of_pair;
        next_line = line + 1;
        match outcome {
            Ok(true) => Some((line, Ok(row))),
            Ok(false) => None,
            Err(error) => Some((line, Err(error))),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn blocks(text: &[u8]) -> Vec<Block> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        let mut blocks = Blocks::open(file.path()).unwrap();
        let mut all = Vec::new();
        while let Some(block) = blocks.next().unwrap() {
            all.push(block);
        }
        all
    }

    #[test]
    fn blocks_are_whole_rows_with_their_line_numbers() {
        let mut text = Vec::new();
        for nth in 0..700_000 {
            writeln!(text, "row {nth}").unwrap();
        }
        text.extend_from_slice(b"the last, without an end");
        let all = blocks(&text);
        assert!(all.len() > 1);
        assert_eq!(all.iter().flat_map(|block| block.bytes.clone()).collect::<Vec<_>>(), text);
        for block in &all {
            let first = block.bytes.split(|byte| *byte == b'\n').next().unwrap();
            let expected = if block.line == 700_001 {
                "the last, without an end".to_owned()
            } else {
                format!("row {}", block.line - 1)
            };
            assert_eq!(String::from_utf8_lossy(first), expected);
        }
    }

    #[test]
    fn a_line_end_within_quotes_ends_neither_block_nor_row() {
        let mut text = b"a,b\n\n".to_vec();
        while text.len() < BLOCK_BYTES - 100 {
            text.extend_from_slice(b"x,\"y\ny\"\n");
        }
        text.extend_from_slice(&[b"\"".as_slice(), &vec![b'\n'; 300], b"\",z\nlast,row\n"].concat());
        let all = blocks(&text);
        assert!(all.iter().all(|block| block.quoted));
        let rows: Vec<_> = all.iter().flat_map(rows_of).map(|(line, row)| (line, row.unwrap())).collect();
        assert_eq!(rows[0].0, 1);
        assert_eq!(rows[1].0, 3, "an empty line is no row");
        assert_eq!(rows[2].0, 4, "a line end within quotes begins no line of a spreadsheet");
        let (line, last) = rows.last().unwrap();
        assert_eq!(last.get(0), Some("last"));
        assert_eq!(*line, u64::try_from(rows.len()).unwrap() + 1);
        assert_eq!(all.iter().map(|block| block.lines).sum::<u64>(), *line);
    }

    #[test]
    fn rows_with_quotes_and_windows_line_ends_are_on_their_lines() {
        let rows: Vec<_> =
            blocks(b"a\r\n\"b\r\nb\"\r\n\r\nc\r\nd").iter().flat_map(rows_of).map(|(line, _)| line).collect();
        assert_eq!(rows, [1, 2, 4, 5]);
    }

    #[test]
    fn a_quote_that_swallows_rows_is_an_error_with_its_line() {
        for text in ["a\n1,2,3\n4,\"5,6\n7,\"8,9\n", "a\n1,2,3\n4,5,\"6\n7,8,9\n"] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let mut blocks = Blocks::open(file.path()).unwrap();
            assert!(matches!(blocks.next(), Err(ImportError::OpenQuote { line: 3 })), "{text}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_an_error_with_its_line() {
        let mut text = b"a\nb\n\"".to_vec();
        text.resize(BLOCK_BYTES * 2, b'\n');
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&text).unwrap();
        let mut blocks = Blocks::open(file.path()).unwrap();
        assert!(matches!(blocks.next(), Err(ImportError::RowTooLong { line: 3 })));
    }
}
