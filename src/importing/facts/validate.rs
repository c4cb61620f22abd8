//! Checks a plain CSV file on several threads: one reads blocks of rows, the others parse and check them, and one hands
//! the results on in the order of the file.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use super::{
    FactChecks, Spill, SpillWriter,
    blocks::{Block, Blocks, rows_of},
    line::LineReader,
};
use crate::importing::{
    ImportError,
    batch::{Batch, Stop},
    file_context::FileContext,
    findings::Code,
    skips::{Lines, SkipReason},
};

/// Blocks that wait to be parsed. With those being parsed they bound the memory.
const BLOCKS_WAITING: usize = 2;

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

/// A parsed block, by its number.
type Parsed = (u64, Result<Batch, ImportError>);

/// Checks the rows of a file on `threads` threads, and writes their facts to the spill file. `send` gets the batches in
/// the order of the file. Returns the file's SHA-256 and its lines.
pub(in crate::importing) fn check_csv(
    checks: &FactChecks,
    file: FileContext<'_>,
    csv: &PlainCsv<'_>,
    spill: &Spill,
    threads: usize,
    mut send: impl FnMut(Batch) -> Result<(), Stop> + Send,
) -> Result<(String, Lines), Stop> {
    let mut blocks = Blocks::open(csv.path)?;
    let stopped = AtomicBool::new(false);
    let (to_parsers, unparsed) = sync_channel::<Block>(BLOCKS_WAITING);
    // A channel has one receiver: the lock lets the parsers take turns with it.
    let unparsed = Arc::new(Mutex::new(unparsed));
    // Bounded: parsers that are faster than the stager must not fill the memory.
    let (to_sender, parsed) = sync_channel::<Parsed>(threads.max(1) * 2);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (to_sender, unparsed) = (to_sender.clone(), unparsed.clone());
            scope.spawn(move || BlockParser { checks, file, spill }.parse_all(&unparsed, &to_sender));
        }
        // Only the parsers keep their ends of the channels: when all have ended, the reader and the sender end too.
        drop((to_sender, unparsed));
        let sender = scope.spawn(|| {
            let outcome = send_in_order(parsed, &mut send);
            if outcome.is_err() {
                // Relaxed: the flag only ends the reading sooner, and results go through the channels.
                stopped.store(true, Ordering::Relaxed);
            }
            outcome
        });
        let read = read_blocks(&mut blocks, &to_parsers, &stopped);
        // The parsers end when no block can follow, so this comes before the wait for the sender.
        drop(to_parsers);
        let sent = sender.join().unwrap_or(Err(Stop::Failed(ImportError::ReaderGone)));
        read?;
        sent
    })?;
    // The lines that were skipped are in the batches.
    let lines = Lines { read: blocks.lines(), ..Lines::default() };
    Ok((blocks.sha256(), lines))
}

/// Reads the file to its end, or until no parser takes blocks any more.
fn read_blocks(blocks: &mut Blocks, to: &SyncSender<Block>, stopped: &AtomicBool) -> Result<(), ImportError> {
    while let Some(block) = blocks.next()? {
        if stopped.load(Ordering::Relaxed) || to.send(block).is_err() {
            break;
        }
    }
    Ok(())
}

/// Sends parsed blocks in the order of the file.
fn send_in_order(parsed: Receiver<Parsed>, send: &mut impl FnMut(Batch) -> Result<(), Stop>) -> Result<(), Stop> {
    let mut early: BTreeMap<u64, Batch> = BTreeMap::new();
    let mut next = 0;
    for (number, batch) in parsed {
        early.insert(number, batch?);
        while let Some(batch) = early.remove(&next) {
            next += 1;
            send(batch)?;
        }
    }
    Ok(())
}

/// Parses blocks on one thread.
struct BlockParser<'a> {
    checks: &'a FactChecks,
    file: FileContext<'a>,
    spill: &'a Spill,
}

impl BlockParser<'_> {
    fn parse_all(&self, unparsed: &Mutex<Receiver<Block>>, to: &SyncSender<Parsed>) {
        let Some(mut lines) = LineReader::new(&self.checks.dictionary, self.file.layout.positions()) else { return };
        let mut writer = self.spill.writer();
        let mut last = 0;
        loop {
            // The lock is held while waiting, but not while parsing: the guard is dropped at the end of this statement.
            let block = unparsed.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(block) = block else { break };
            last = block.nth;
            let batch = self.parse(&block, &mut lines, &mut writer);
            if to.send((block.nth, batch)).is_err() {
                return;
            }
        }
        if let Err(source) = writer.finish() {
            // The last block was sent already; the error takes its number and ends the import.
            let _ = to.send((last, Err(ImportError::Spill { source })));
        }
    }

    fn parse(
        &self,
        block: &Block,
        lines: &mut LineReader<'_>,
        writer: &mut SpillWriter<'_>,
    ) -> Result<Batch, ImportError> {
        let mut batch = Batch { bytes: block.offset, ..Batch::default() };
        if block.quoted {
            self.parse_quoted(block, &mut batch, writer)?;
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
            if let Some(fact) = lines.read(line, text) {
                batch.read += 1;
                batch.passed.spilled += 1;
                batch.findings.extend(self.checks.voided.finding(&fact));
                writer.put(&fact).map_err(|source| ImportError::Spill { source })?;
            } else {
                record.clear();
                text.split(',').for_each(|field| record.push_field(field));
                self.check(line, &record, &mut batch, writer)?;
            }
        }
        Ok(batch)
    }

    fn parse_quoted(&self, block: &Block, batch: &mut Batch, writer: &mut SpillWriter<'_>) -> Result<(), ImportError> {
        let mut accounted = block.line;
        for (line, row) in rows_of(block) {
            batch.skipped.add_all(SkipReason::Blank, accounted, line.saturating_sub(accounted));
            accounted = line + 1;
            match row {
                // The header, which was read before.
                _ if line == 1 => {}
                Ok(row) => self.check(line, &row, batch, writer)?,
                Err(_) => not_utf8(batch, line),
            }
        }
        let behind = block.line + block.lines;
        batch.skipped.add_all(SkipReason::Blank, accounted, behind.saturating_sub(accounted));
        Ok(())
    }

    /// Checks a row that is not plain, or in which something is wrong.
    fn check(
        &self,
        line: u64,
        record: &csv::StringRecord,
        batch: &mut Batch,
        writer: &mut SpillWriter<'_>,
    ) -> Result<(), ImportError> {
        batch.add(line, record, self.file, |row, passed| self.checks.check(row, passed, writer))
    }
}

fn not_utf8(batch: &mut Batch, line: u64) {
    batch.reject(line, Code::NotUtf8, "is not UTF-8: save the file as UTF-8, or use --encoding gb18030".into());
}
