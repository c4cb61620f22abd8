//! The first half: every row checked, and put on the heap of its subject.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use super::{
    Known,
    blocks::{Block, Blocks, rows_of},
    line::LineReader,
    spill::{Spill, SpillWriter},
};
use crate::importing::{
    ImportError,
    findings::{Code, Finding, Severity},
    row::Row,
    rows::records,
    source::Next,
};

/// Bytes of a file whose facts are sorted at once: with their order they take about twice as much memory, on each core.
const HEAP_BYTES: u64 = 24 << 20;

/// There are no more heaps: each thread keeps a piece of each.
const MOST_HEAPS: u64 = 256;

/// Rows of another reader that are told of at once.
const ROWS_TOLD: u64 = 10_000;

/// Blocks that wait to be parsed.
const BLOCKS_WAITING: usize = 2;

/// What the rows of a file came to.
#[derive(Debug)]
pub(in crate::importing) struct Sifted {
    pub(super) spill: Spill,
    /// The digest of what was read.
    pub(in crate::importing) sha256: String,
}

/// What is told while a file is sifted, in the order of its lines.
#[derive(Debug, Default)]
pub(in crate::importing) struct Told {
    /// Rows read.
    pub(in crate::importing) rows: u64,
    /// Rows that were put on heaps.
    pub(in crate::importing) taken: u64,
    /// What is wrong with others.
    pub(in crate::importing) findings: Vec<Finding>,
    /// How far the file is read.
    pub(in crate::importing) bytes: u64,
}

/// What every row is checked with.
#[derive(Clone, Copy)]
pub(in crate::importing) struct Checking<'a> {
    pub(in crate::importing) known: &'a Known,
    pub(in crate::importing) rules: &'a crate::importing::Rules,
    /// Where each column of the template stands in the file.
    pub(in crate::importing) places: &'a [usize],
    /// How many columns the header has.
    pub(in crate::importing) width: usize,
    pub(in crate::importing) columns: &'static [&'static str],
}

impl Checking<'_> {
    /// Checks a row the long way, which says what is wrong.
    fn row(&self, line: u64, record: &csv::StringRecord, told: &mut Told, put: &mut SpillWriter<'_>) -> io::Result<()> {
        if record.len() != self.width {
            let message = format!("has {} fields, the header has {}", record.len(), self.width);
            told.findings.push(whole_row(line, Code::ColumnCount, message));
            return Ok(());
        }
        let mut row = Row {
            line,
            record,
            places: self.places,
            columns: self.columns,
            findings: &mut told.findings,
            today: self.known.today(),
        };
        if let Some(fact) = records::check(&mut row, self.rules, self.known) {
            told.taken += 1;
            put.put(&fact)?;
        }
        Ok(())
    }
}

fn whole_row(line: u64, code: Code, message: String) -> Finding {
    Finding { line, column: "", code, severity: Severity::Reject, message }
}

fn not_utf8(line: u64) -> Finding {
    whole_row(line, Code::NotUtf8, "is not UTF-8: save the file as UTF-8, or say --encoding gb18030".into())
}

/// An empty spill for a file of some size.
fn spill_for(known: &Known, bytes: u64) -> Result<Spill, ImportError> {
    let heaps = usize::try_from(bytes.div_ceil(HEAP_BYTES).clamp(1, MOST_HEAPS)).unwrap_or(1);
    Spill::new(known.len(), heaps).map_err(|source| ImportError::Spill { source })
}

/// What another reader yields.
#[derive(Debug)]
pub(super) enum NextRow {
    /// A row.
    Row { line: u64, passed: u64 },
    /// One that is no text was passed over.
    Unreadable { line: u64, column: Option<usize>, code: Code, message: String, passed: u64 },
    /// There are no more.
    End { passed: u64 },
}

/// The bound of a delivery's rows.
pub(super) struct TooMany;

impl TooMany {
    /// Refuses a row beyond the bound.
    pub(super) fn check(most: Option<u64>, rows: u64, next: &Next) -> Result<(), ImportError> {
        match most {
            Some(most) if rows > most && *next != Next::End => Err(ImportError::TooManyRows { most }),
            _ => Ok(()),
        }
    }
}

/// Sifts rows that another reader yields, one after the other. `tell` says whether anyone still listens.
pub(super) fn sift_rows(
    checking: Checking<'_>,
    bytes: u64,
    mut next: impl FnMut(&mut csv::StringRecord) -> Result<NextRow, ImportError>,
    mut tell: impl FnMut(Told) -> bool,
) -> Result<Option<Spill>, ImportError> {
    let spill = spill_for(checking.known, bytes)?;
    let failed = |source| ImportError::Spill { source };
    let mut put = spill.writer();
    let mut record = csv::StringRecord::new();
    let mut told = Told::default();
    loop {
        match next(&mut record)? {
            NextRow::End { passed } => {
                told.bytes = passed;
                break;
            }
            NextRow::Row { line, passed } => {
                told.bytes = passed;
                checking.row(line, &record, &mut told, &mut put).map_err(failed)?;
            }
            NextRow::Unreadable { line, column, code, message, passed } => {
                told.bytes = passed;
                let place = column.and_then(|at| checking.places.iter().position(|place| *place == at));
                let column = place.and_then(|at| checking.columns.get(at)).copied().unwrap_or_default();
                told.findings.push(Finding { line, column, code, severity: Severity::Reject, message });
            }
        }
        told.rows += 1;
        if told.rows >= ROWS_TOLD && !tell(std::mem::take(&mut told)) {
            return Ok(None);
        }
    }
    put.finish().map_err(failed)?;
    Ok(tell(told).then_some(spill))
}

/// Sifts a UTF-8 CSV file on some threads, header passed over. `tell` is called in the order of the lines, and says
/// whether anyone still listens; none comes back when nobody does.
pub(in crate::importing) fn sift_csv(
    checking: Checking<'_>,
    (path, size): (&Path, u64),
    threads: usize,
    mut tell: impl FnMut(Told) -> bool + Send,
) -> Result<Option<Sifted>, ImportError> {
    let spill = spill_for(checking.known, size)?;
    let mut blocks = Blocks::open(path)?;
    let listened = AtomicBool::new(true);
    let (give, take) = sync_channel::<Block>(BLOCKS_WAITING);
    let take = Arc::new(Mutex::new(take));
    let (finish, finished) = sync_channel::<(u64, Result<Told, ImportError>)>(threads.max(1) * 2);
    let failed = std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (finish, take, spill) = (finish.clone(), take.clone(), &spill);
            scope.spawn(move || parse_blocks(checking, spill, &take, &finish));
        }
        // The parsers alone hold the ends they use: when they are gone, giving and telling end too.
        drop((finish, take));
        let telling = scope.spawn(|| {
            let outcome = in_order(finished, &mut tell);
            if !matches!(outcome, Ok(true)) {
                listened.store(false, Ordering::Relaxed);
            }
            outcome
        });
        let mut failed = None;
        loop {
            match blocks.next() {
                Ok(Some(block)) if listened.load(Ordering::Relaxed) => {
                    if give.send(block).is_err() {
                        break;
                    }
                }
                Ok(_) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        drop(give);
        let told = telling.join().unwrap_or(Err(ImportError::ReaderGone));
        match (failed, told) {
            (Some(error), _) | (None, Err(error)) => Err(error),
            (None, Ok(listened)) => Ok(listened),
        }
    });
    Ok(failed?.then(|| Sifted { spill, sha256: blocks.sha256() }))
}

impl Sifted {
    /// Rows from another reader, with the digest it found.
    pub(in crate::importing) const fn of(spill: Spill, sha256: String) -> Self {
        Self { spill, sha256 }
    }
}

/// Tells what was found in blocks in the order of the file.
fn in_order(
    finished: Receiver<(u64, Result<Told, ImportError>)>,
    tell: &mut impl FnMut(Told) -> bool,
) -> Result<bool, ImportError> {
    let mut early: BTreeMap<u64, Told> = BTreeMap::new();
    let mut next = 0;
    for (nth, told) in finished {
        early.insert(nth, told?);
        while let Some(told) = early.remove(&next) {
            next += 1;
            if !tell(told) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn parse_blocks(
    checking: Checking<'_>,
    spill: &Spill,
    take: &Mutex<Receiver<Block>>,
    finish: &SyncSender<(u64, Result<Told, ImportError>)>,
) {
    let failed = |source| ImportError::Spill { source };
    let Some(mut lines) = LineReader::new(checking.known, checking.places) else { return };
    let mut put = spill.writer();
    let mut last = 0;
    loop {
        let block = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = block else { break };
        last = block.nth;
        let told = parse(checking, &block, &mut lines, &mut put);
        if finish.send((block.nth, told.map_err(failed))).is_err() {
            return;
        }
    }
    if let Err(source) = put.finish() {
        // What was already told of this block stands; the error alone counts now.
        let _ = finish.send((last, Err(failed(source))));
    }
}

fn parse(
    checking: Checking<'_>,
    block: &Block,
    lines: &mut LineReader<'_>,
    put: &mut SpillWriter<'_>,
) -> io::Result<Told> {
    let mut told = Told { bytes: block.passed, ..Told::default() };
    if block.quoted {
        for (line, row) in rows_of(block) {
            let header = line == 1;
            match row {
                _ if header => {}
                Ok(row) => {
                    told.rows += 1;
                    checking.row(line, &row, &mut told, put)?;
                }
                Err(_) => {
                    told.rows += 1;
                    told.findings.push(not_utf8(line));
                }
            }
        }
        return Ok(told);
    }
    let whole = std::str::from_utf8(&block.bytes);
    let mut record = csv::StringRecord::new();
    let mut start = 0;
    for (line, bytes) in (block.line..).zip(block.bytes.split_inclusive(|byte| *byte == b'\n')) {
        let from = start;
        start += bytes.len();
        let text = match whole {
            Ok(whole) => whole.get(from..start).unwrap_or_default(),
            Err(_) => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    text
                } else {
                    told.rows += 1;
                    told.findings.push(not_utf8(line));
                    continue;
                }
            }
        };
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        // The header was read before; an empty line is no row.
        if line == 1 || text.is_empty() {
            continue;
        }
        told.rows += 1;
        if let Some(fact) = lines.read(line, text) {
            told.taken += 1;
            put.put(&fact)?;
        } else {
            record.clear();
            text.split(',').for_each(|field| record.push_field(field));
            checking.row(line, &record, &mut told, put)?;
        }
    }
    Ok(told)
}
