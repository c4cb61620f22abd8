//! Checks a plain CSV file on several threads, by blocks of its lines.

use std::{fs::File, io::Read, path::Path};

use super::{
    FactRows, Parallel,
    blocks::{Block, Blocks, rows_of},
};
use crate::importing::{
    ImportError,
    batch::{Batch, Stop},
    findings::Code,
    skips::{Lines, SkipReason},
};

/// How much of a file is examined before it is read as plain CSV.
const EXAMINED_BYTES: u64 = 4 << 20;

/// A file that can be read as blocks of lines.
#[derive(Debug)]
pub(in crate::importing) struct PlainCsv<'a> {
    path: &'a Path,
}

impl<'a> PlainCsv<'a> {
    /// A CSV file whose beginning is UTF-8 with newlines as line ends, so that it can be split at newlines; `None` for
    /// any other, which the CSV reader reads row by row.
    pub(in crate::importing) fn examine(path: &'a Path) -> Option<Self> {
        let mut beginning = Vec::new();
        let file = File::open(path).ok()?;
        let size = file.metadata().ok()?.len();
        file.take(EXAMINED_BYTES).read_to_end(&mut beginning).ok()?;
        let utf8 = match std::str::from_utf8(&beginning) {
            Ok(_) => true,
            // The end of what was read may cut a character in two.
            Err(error) => error.error_len().is_none() && size > EXAMINED_BYTES,
        };
        let lone_return = beginning.windows(2).any(|pair| matches!(pair, [b'\r', next] if *next != b'\n'));
        (utf8 && !lone_return && !beginning.ends_with(b"\r")).then_some(Self { path })
    }
}

/// Checks the rows of a file. `send` gets the batches in the order of the file. Returns the file's SHA-256 and its lines.
pub(in crate::importing) fn check_csv(
    parallel: Parallel<'_>,
    csv: &PlainCsv<'_>,
    send: impl FnMut(Batch) -> Result<(), Stop> + Send,
) -> Result<(String, Lines), Stop> {
    let mut blocks = Blocks::open(csv.path)?;
    parallel.run(|| blocks.next(), check_block, send)?;
    // The lines that were skipped are in the batches.
    let lines = Lines { read: blocks.lines(), ..Lines::default() };
    Ok((blocks.sha256(), lines))
}

fn check_block(block: &Block, rows: &mut FactRows<'_>) -> Result<Batch, ImportError> {
    let mut batch = Batch { bytes: block.offset, ..Batch::default() };
    if block.quoted {
        check_quoted(block, rows, &mut batch)?;
        return Ok(batch);
    }
    let whole = std::str::from_utf8(&block.bytes);
    let mut record = csv::StringRecord::new();
    let mut start = 0;
    for (line, bytes) in (block.line..).zip(block.bytes.split_inclusive(|byte| *byte == b'\n')) {
        let from = start;
        start += bytes.len();
        // A block that is UTF-8 is checked once, any other line by line.
        let text = match whole {
            Ok(whole) => Some(whole.get(from..start).unwrap_or_default()),
            Err(_) => std::str::from_utf8(bytes).ok(),
        };
        let Some(text) = text else {
            not_utf8(&mut batch, line);
            continue;
        };
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        // The header was read before.
        if line == 1 {
            continue;
        }
        if text.is_empty() {
            batch.skipped.add(SkipReason::Blank, line);
            continue;
        }
        if !rows.add_line(&mut batch, line, text)? {
            record.clear();
            text.split(',').for_each(|field| record.push_field(field));
            rows.check(&mut batch, line, &record)?;
        }
    }
    Ok(batch)
}

fn check_quoted(block: &Block, rows: &mut FactRows<'_>, batch: &mut Batch) -> Result<(), ImportError> {
    let mut accounted = block.line;
    for (line, row) in rows_of(block) {
        batch.skipped.add_all(SkipReason::Blank, accounted, line.saturating_sub(accounted));
        accounted = line + 1;
        match row {
            // The header, which was read before.
            _ if line == 1 => {}
            Ok(row) => rows.check(batch, line, &row)?,
            Err(_) => not_utf8(batch, line),
        }
    }
    let behind = block.line + block.lines;
    batch.skipped.add_all(SkipReason::Blank, accounted, behind.saturating_sub(accounted));
    Ok(())
}

fn not_utf8(batch: &mut Batch, line: u64) {
    batch.reject(line, Code::NotUtf8, "is not UTF-8: save the file as UTF-8, or use --encoding gb18030".into());
}
