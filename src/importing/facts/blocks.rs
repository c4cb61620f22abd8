//! Splits a file into blocks of whole rows: one thread reads and digests the file while others parse the blocks.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest;

use crate::importing::ImportError;

/// Bytes read at a time.
const BLOCK_BYTES: usize = 4 << 20;

/// Longest row. Without a limit, a quote that is never closed would read the whole file into memory.
const MAX_ROW_BYTES: usize = 1 << 20;

/// Complete rows of a file.
#[derive(Debug)]
pub(super) struct Block {
    /// Its number, in the order of the file.
    pub(super) nth: u64,
    /// The line that it begins with; the first line of a file is 1.
    pub(super) line: u64,
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
    nth: u64,
    line: u64,
    offset: u64,
    ended: bool,
}

impl Blocks {
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(|error| ImportError::read(path, error))?;
        let digest = digest::Context::new(&digest::SHA256);
        Ok(Self { path: path.to_owned(), file, digest, rest: Vec::new(), nth: 0, line: 1, offset: 0, ended: false })
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
            let end = end_of_rows(&bytes, quoted).map_err(|before| ImportError::RowTooLong {
                line: self.line + newlines(bytes.get(..before).unwrap_or_default()),
            })?;
            // The last row of a file may have no line end.
            let end = if self.ended { bytes.len() } else { end };
            if end == 0 && !self.ended {
                // The row is longer than what has been read: reading continues up to the longest row.
                if bytes.len() > before && bytes.len() <= MAX_ROW_BYTES {
                    self.rest = bytes;
                    continue;
                }
                return Err(ImportError::RowTooLong { line: self.line });
            }
            self.rest = bytes.split_off(end);
            let block = Block { nth: self.nth, line: self.line, quoted, offset: self.offset, bytes };
            self.nth += 1;
            self.line += newlines(&block.bytes);
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

    /// The digest of the whole file, hex.
    pub(super) fn sha256(self) -> String {
        data_encoding::HEXLOWER.encode(self.digest.finish().as_ref())
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    // Sums of at most 255 fit into a byte each, so that the compiler vectorizes the loop.
    bytes.chunks(255).map(|piece| u64::from(piece.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>())).sum()
}

/// The position after the last complete row; as an error, the start of a row that is too long. Blocks begin with a row,
/// so a line end inside quotes has an odd number of quotes before it (RFC 4180 section 2).
fn end_of_rows(bytes: &[u8], quoted: bool) -> Result<usize, usize> {
    if !quoted {
        return Ok(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    }
    let (mut inside, mut end) = (false, 0);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => inside = !inside,
            b'\n' if !inside => end = at + 1,
            _ if at - end > MAX_ROW_BYTES => return Err(end),
            _ => {}
        }
    }
    Ok(end)
}

/// The rows of a block with quotes, and the line that each begins on. `Err` is a row that is not UTF-8.
pub(super) fn rows_of(block: &Block) -> impl Iterator<Item = (u64, Result<csv::StringRecord, csv::Error>)> + '_ {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(block.bytes.as_slice());
    let (mut counted, mut line) = (0usize, block.line);
    std::iter::from_fn(move || {
        let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let mut row = csv::StringRecord::new();
        let outcome = reader.read_record(&mut row);
        // The reader skips empty lines before a row.
        let begins = block.bytes.iter().skip(start).position(|byte| !matches!(byte, b'\n' | b'\r'))?;
        let at = start.saturating_add(begins);
        line += newlines(block.bytes.get(counted..at).unwrap_or_default());
        counted = at;
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
        assert_eq!(rows[2].0, 5);
        let (line, last) = rows.last().unwrap();
        assert_eq!(last.get(0), Some("last"));
        assert_eq!(*line, newlines(&text));
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
